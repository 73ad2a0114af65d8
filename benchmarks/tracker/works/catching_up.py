"""Catch up with a chain that has grown while the tracker did not run."""

import time

from benchmarks.tracker import node
from benchmarks.tracker.blocks import heard
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.store.garbage_collection import tune_collector

REQUIRED = 64
ROUND_TRIP_SECONDS = 0.1
# More than fit: those that ``grow`` adds to a block find room in it.
_PER_BLOCK = 1_000


async def run(
    database: str, tracked: int, blocks: int, round_trip: float = ROUND_TRIP_SECONDS
) -> dict[str, float]:
    """Apply blocks that are there already, some with tracked transactions.

    Args:
        database: With ``tracked`` open transactions.
        tracked: How many there are; the blocks have them, evenly spread.
        blocks: How many blocks to catch up with.
        round_trip: Seconds that each request takes.

    Returns:
        ``rate``: blocks per second, from the start of the application to the last block stored;
        ``requests``: HTTP requests per block.
    """
    async with node.running(tracked, _PER_BLOCK, round_trip) as one:
        settings = Settings(one.url, confirmations=REQUIRED, database=database)
        await _follow(settings, (await one.count()).number)
        first = await one.grow(blocks)
        began = time.monotonic()
        ended = await _follow(settings, first.number)
        last = await one.count()
    return {
        "rate": blocks / (ended - began),
        "requests": (last.requests - first.requests) / blocks,
    }


async def _follow(settings: Settings, height: int) -> float:
    """Run the application until it has applied a block; return when that was."""
    with heard() as follower:
        async with TransactionTrackerApplication(settings):
            tune_collector()
            return (await follower.at(height)).time
