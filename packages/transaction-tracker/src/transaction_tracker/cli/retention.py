"""Remove transactions that ended long ago, periodically while the service runs."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from beamish import ExitError
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.pruning import LIMIT, prune

logger = logging.getLogger("transaction_tracker")

PAUSE_SECONDS = 600.0


@asynccontextmanager
async def retention(
    older_than: float | None, *, pause: float = PAUSE_SECONDS
) -> AsyncIterator[None]:
    """Prune the store periodically while the block runs.

    Args:
        older_than: Seconds since its end after which a transaction is removed; ``None`` keeps all.
        pause: Seconds between two rounds.
    """
    if older_than is None:
        yield
        return
    task = asyncio.create_task(_prune_forever(older_than, pause))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _prune_forever(older_than: float, pause: float) -> None:
    while True:
        try:
            removed = await _prune(time.time() - older_than)
        except (StoreError, ExitError) as error:  # the store restarts; the next round retries
            logger.warning("pruning failed: %s; retrying in %.0f s", error, pause)
        else:
            if removed:
                logger.info("pruned", extra={"transactions": removed})
        await asyncio.sleep(pause)


async def _prune(before: float) -> int:
    """Prune in small batches, between which blocks can be stored; return the number removed."""
    removed = 0
    while True:
        pruned = await Store.run(partial(prune, before=before))
        removed += pruned.transactions
        if max(pruned.transactions, pruned.deliveries) < LIMIT:
            return removed
