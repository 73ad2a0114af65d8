"""Send raw signed transactions again that no provider has any more."""

import logging
import time
from dataclasses import dataclass
from functools import partial

from beamish import Backoff, Continue, ExitError, GenServer, process
from transaction_tracker.domain import local_id
from transaction_tracker.sources import ChainSource, SourceError
from transaction_tracker.store import Store, StoreError, broadcasts
from transaction_tracker.store.broadcasts import Broadcast
from transaction_tracker.tracker import FOLLOWER, CheckTransaction

REBROADCASTER = "TransactionTracker.Rebroadcaster"

_PAUSE_SECONDS = 15.0
# A transaction that was sent a moment ago has not reached all providers yet.
_MISSING_SECONDS = 60.0
_MAX_AT_ONCE = 20
_BACKOFF = Backoff(initial=60.0, maximum=3_600.0, jitter=0.0)

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class SendDue:
    """A message to itself: send the transactions that are due."""


class Rebroadcaster(GenServer):
    """Send transactions again while they are missing or dropped, less and less often.

    Each attempt is stored before it is made, so that a crash does not repeat it without limit.

    Args:
        source: The source, which sends to all providers.
        follower: Name of the follower of the source.
    """

    def __init__(self, source: ChainSource, follower: str = FOLLOWER) -> None:
        self._source = source
        self._follower = follower

    def init(self) -> Continue:
        """Return before the first round."""
        return Continue(SendDue())

    async def handle_continue(self, _arg: object) -> None:
        """Send for the first time."""
        await self._send_due()

    async def handle_info(self, message: object) -> None:
        """Send again."""
        match message:
            case SendDue():
                await self._send_due()
            case _:
                super().handle_info(message)

    async def _send_due(self) -> None:
        now = time.time()
        query = partial(
            broadcasts.due,
            source=self._source.name,
            now=now,
            missing_since=now - _MISSING_SECONDS,
            limit=_MAX_AT_ONCE,
        )
        try:
            for broadcast in await Store.run(query):
                await self._send(broadcast)
        except (StoreError, ExitError) as error:  # the store restarts; the next round retries
            logger.warning("sending transactions again failed: %s; retrying", error)
        process.send_after(self.pid, SendDue(), _PAUSE_SECONDS)

    async def _send(self, broadcast: Broadcast) -> None:
        key, attempt = broadcast.transaction, broadcast.attempts + 1
        next_at = time.time() + _BACKOFF.delay(attempt)
        await Store.run(partial(broadcasts.attempted, transaction=key, next_at=next_at))
        try:
            sent = await self._source.send(broadcast.raw)
        except SourceError as error:
            logger.warning("could not send %s again (attempt %d): %s", key, attempt, error)
            return
        # Without the providers' texts, which can contain the transaction.
        text = "sent %s again: %d of %d providers have it (attempt %d of %d)"
        logger.info(text, key, sent.accepted, sent.providers, attempt, broadcasts.MAX_ATTEMPTS)
        if sent.accepted:
            GenServer.cast(self._follower, CheckTransaction(local_id(self._source.name, key)))
