"""Remove transactions that ended long ago, periodically while the service runs."""

import logging
import time
from dataclasses import dataclass
from functools import partial

from beamish import Continue, ExitError, GenServer, process
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.pruning import LIMIT, prune

RETENTION = "TransactionTracker.Retention"
PAUSE_SECONDS = 600.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class PruneNext:
    """A message to itself: prune the store."""


class Retention(GenServer):
    """Prune the store at the start, and then periodically.

    Args:
        older_than: Seconds since its end after which a transaction is removed.
        pause: Seconds between two rounds.
    """

    def __init__(self, older_than: float, *, pause: float = PAUSE_SECONDS) -> None:
        self._older_than = older_than
        self._pause = pause

    def init(self) -> Continue:
        """Return before the first round, which can take long."""
        return Continue(PruneNext())

    async def handle_continue(self, _arg: object) -> None:
        """Prune for the first time."""
        await self._prune()

    async def handle_info(self, message: object) -> None:
        """Prune again."""
        match message:
            case PruneNext():
                await self._prune()
            case _:
                super().handle_info(message)

    async def _prune(self) -> None:
        try:
            removed = await _prune(time.time() - self._older_than)
        except (StoreError, ExitError) as error:  # the store restarts; the next round retries
            logger.warning("pruning failed: %s; retrying in %.0f s", error, self._pause)
        else:
            if removed:
                logger.info("pruned", extra={"transactions": removed})
        process.send_after(self.pid, PruneNext(), self._pause)


async def _prune(before: float) -> int:
    """Prune in small batches, between which blocks can be stored; return the number removed."""
    removed = 0
    while True:
        pruned = await Store.run(partial(prune, before=before))
        removed += pruned.transactions
        if max(pruned.transactions, pruned.deliveries) < LIMIT:
            return removed
