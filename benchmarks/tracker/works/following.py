"""Count the requests that a block costs the tracker, which follows the head."""

import asyncio

from benchmarks.tracker import node
from benchmarks.tracker.blocks import heard
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.store.uncollected import settle_down

PER_BLOCK = 50
REQUIRED = 64
BLOCK_SECONDS = 0.6
LOOKS = 12


async def run(database: str, tracked: int, blocks: int) -> dict[str, float]:
    """Follow blocks that come regularly, each with some of the tracked transactions.

    Args:
        database: With ``tracked`` open transactions.
        tracked: How many there are.
        blocks: How many blocks to count over.

    Returns:
        ``requests`` and ``calls``: HTTP requests, and calls in them, per block, when the tracker
        asks for the head once per block; ``often``: requests when it asks twelve times per block.
    """
    async with node.running(tracked, PER_BLOCK) as one:
        requests, calls = await _count(one, database, BLOCK_SECONDS, blocks)
        often, _ = await _count(one, database, BLOCK_SECONDS / LOOKS, max(2, blocks // 2))
    return {"requests": requests, "calls": calls, "often": often}


async def _count(
    one: node.Node, database: str, interval: float, blocks: int
) -> tuple[float, float]:
    settings = Settings(one.url, confirmations=REQUIRED, database=database, poll_interval=interval)
    with heard() as follower:
        async with TransactionTrackerApplication(settings):
            settle_down()
            # What the start itself asks is over by the second block, and is no block's cost.
            await follower.at((await one.mine()).number)
            await asyncio.sleep(BLOCK_SECONDS)
            first = last = await one.mine()
            for _ in range(blocks):
                await asyncio.sleep(BLOCK_SECONDS)
                last = await one.mine()
    return (last.requests - first.requests) / blocks, (last.calls - first.calls) / blocks
