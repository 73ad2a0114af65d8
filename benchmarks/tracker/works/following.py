"""Count the requests that a block costs the tracker, which follows the head."""

import asyncio

from benchmarks.tracker import node
from benchmarks.tracker.blocks import Blocks, heard
from transaction_tracker import ProviderSettings, Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.ethereum.url import WEBSOCKET
from transaction_tracker.store.garbage_collection import tune_collector

# All blocks together hold fewer than the fewest that are tracked.
PER_BLOCK = 15
REQUIRED = 64
BLOCK_SECONDS = 0.6
# The default: blocks of 12 s, and an interval of 1 s.
INTERVALS_PER_BLOCK = 12
# By then the tracker knows how long a block takes.
LEARNED_AFTER = 10


async def run(database: str, tracked: int, blocks: int) -> dict[str, float]:
    """Follow blocks that come regularly, each with some of the tracked transactions.

    Args:
        database: With ``tracked`` open transactions.
        tracked: How many there are.
        blocks: How many blocks to count over.

    Returns:
        ``requests`` and ``calls``: HTTP requests, and calls in them, per block, when the tracker
        has to ask for the head; ``told``: requests when it hears of heads by ``newHeads``, too.
    """
    async with node.running(tracked, PER_BLOCK) as one:
        requests, calls = await _count(ProviderSettings(SecretUrl(one.url)), one, database, blocks)
        told = ProviderSettings(SecretUrl(one.url), ws_url=SecretUrl(one.ws_url, WEBSOCKET))
        fewest, _ = await _count(told, one, database, blocks)
    return {"requests": requests, "calls": calls, "told": fewest}


async def _count(
    provider: ProviderSettings, one: node.Node, database: str, blocks: int
) -> tuple[float, float]:
    settings = Settings(
        confirmations=REQUIRED,
        database=database,
        poll_interval=BLOCK_SECONDS / INTERVALS_PER_BLOCK,
        providers=(provider,),
    )
    with heard() as follower:
        async with TransactionTrackerApplication(settings):
            tune_collector()
            await follower.at((await one.mine()).number)
            first = await _mine(one, follower, LEARNED_AFTER)
            last = await _mine(one, follower, blocks)
    return (last.requests - first.requests) / blocks, (last.calls - first.calls) / blocks


async def _mine(one: node.Node, follower: Blocks, blocks: int) -> node.Head:
    """Mine one block after the other, and give the last, as it was when it was new."""
    clock = asyncio.get_running_loop().time
    due = clock()
    for number in range(blocks):
        due += BLOCK_SECONDS
        await asyncio.sleep(max(0.0, due - clock()))
        head = await one.mine()
        if number < blocks - 1:
            # On a busy machine, the requests of one block would count as those of none.
            await follower.at(head.number)
    return head
