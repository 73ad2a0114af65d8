"""Follow a fast chain: what its blocks cost, and how far the tracker is behind."""

import asyncio
import statistics

from benchmarks.tracker import node
from benchmarks.tracker.blocks import heard
from benchmarks.tracker.works.catching_up import ROUND_TRIP_SECONDS
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.store.garbage_collection import tune_collector

REQUIRED = 64
TRACKED = 1_000
# The default, and what a chain of such blocks may be given.
POLL_INTERVALS = {"usual": 1.0, "eager": 0.0625}
BLOCK_SECONDS = 0.25
PER_BLOCK = 5
# By then the tracker knows how long a block takes.
_LEARNED_AFTER = 20


async def run(
    database: str,
    tracked: int,
    blocks: int,
    poll_interval: float,
    round_trip: float = ROUND_TRIP_SECONDS,
    warm_up: int = _LEARNED_AFTER,
) -> dict[str, float]:
    """Follow blocks that come every quarter of a second.

    Args:
        database: With ``tracked`` open transactions.
        tracked: How many there are.
        blocks: How many blocks to count over.
        poll_interval: Seconds between questions for the head.
        round_trip: Seconds that each request takes.
        warm_up: Blocks that are not counted, for the tracker to learn how long one takes.

    Returns:
        ``requests`` and ``calls``: HTTP requests, and calls in them, per block; ``lag``: blocks
        behind the head, the median of the moments at which a block is mined; ``worst``: the most.
    """
    async with node.running(tracked, PER_BLOCK, round_trip) as one:
        settings = Settings(
            one.url,
            confirmations=REQUIRED,
            database=database,
            poll_interval=poll_interval,
            block_time=BLOCK_SECONDS,
        )
        with heard() as follower:
            async with TransactionTrackerApplication(settings) as app:
                tune_collector()
                await follower.at((await one.mine()).number)
                await _mine(app, one, warm_up)
                first = await one.count()
                lags = await _mine(app, one, blocks)
                last = await one.count()
    return {
        "requests": (last.requests - first.requests) / blocks,
        "calls": (last.calls - first.calls) / blocks,
        "lag": statistics.median(lags),
        "worst": max(lags),
    }


async def _mine(app: TransactionTrackerApplication, one: node.Node, blocks: int) -> list[int]:
    """Mine one block after the other; return how far behind the tracker is before each."""
    clock = asyncio.get_running_loop().time
    due, lags = clock(), []
    head = await one.count()
    for _ in range(blocks):
        due += BLOCK_SECONDS
        await asyncio.sleep(due - clock())
        lags.append(head.number - (app.tip.number if app.tip else 0))
        head = await one.mine()
    return lags
