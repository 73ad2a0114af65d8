"""Ask about the decimals and symbols of tokens that transactions have transferred."""

import logging
import time
from dataclasses import dataclass
from functools import partial

from beamish import Backoff, Continue, ExitError, GenServer, process
from transaction_tracker.sources import SourceError, TokenSource
from transaction_tracker.store import Store, StoreError, token_units

UNIT_READER = "TransactionTracker.UnitReader"

# One request in each round, so the number of requests does not depend on the number of tokens.
MAX_TOKENS_AT_ONCE = 20
_PAUSE_SECONDS = 15.0
# A node that is behind does not have a new contract yet.
_BACKOFF = Backoff(initial=60.0, maximum=86_400.0, factor=6.0, jitter=0.0)

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class AskDue:
    """A message to itself: ask about the tokens that are due."""


class UnitReader(GenServer):
    """Ask about each token once, until its decimals are known or it has been asked often enough.

    No other process waits for it, and none depends on an answer.

    Args:
        source: The source, which asks its providers.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def init(self) -> Continue:
        """Return before the first round."""
        return Continue(AskDue())

    async def handle_continue(self, _arg: object) -> None:
        """Ask for the first time."""
        await self._ask_due()

    async def handle_info(self, message: object) -> None:
        """Ask again."""
        match message:
            case AskDue():
                await self._ask_due()
            case _:
                super().handle_info(message)

    async def _ask_due(self) -> None:
        try:
            await self._ask()
        except SourceError as error:
            # No answer of any provider says anything about a token: nothing is counted.
            logger.debug("could not ask about the decimals of tokens: %s; retrying", error)
        except (StoreError, ExitError) as error:  # the store restarts; the next round retries
            logger.warning("asking about the decimals of tokens failed: %s; retrying", error)
        process.send_after(self.pid, AskDue(), _PAUSE_SECONDS)

    async def _ask(self) -> None:
        source, now = self._source.name, time.time()
        due = await Store.run(
            partial(token_units.due, source=source, now=now, limit=MAX_TOKENS_AT_ONCE)
        )
        if not due:
            return
        units = await self._source.token_units([contract for contract, _ in due])
        times = {
            contract: now + _BACKOFF.delay(attempts + 1)
            for contract, attempts in due
            if contract not in units
        }
        await Store.run(partial(token_units.answered, source=source, units=units))
        await Store.run(partial(token_units.postponed, source=source, times=times))
