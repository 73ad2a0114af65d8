"""Apply blocks that are full of tracked transactions."""

import time

from benchmarks.loops import max_blocked_seconds
from benchmarks.tracker import node
from benchmarks.tracker.blocks import heard
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.store.garbage_collection import tune_collector

REQUIRED = 1_000
POLL_SECONDS = 0.05


async def run(database: str, hits: int, blocks: int) -> dict[str, list[float]]:
    """Follow blocks of which each transaction is tracked.

    Args:
        database: With ``hits * (blocks + 1)`` open transactions.
        hits: How many each block holds.
        blocks: How many blocks.

    Returns:
        For each block, ``apply``: seconds from the fetched block to the stored one; ``node``:
        what of that the node takes to give the receipts; ``processor``: seconds of processor time
        of all threads, from before the block is mined. For one more block, ``blocked``: for how
        many seconds at most it blocks the event loop at a time.
    """
    applying, answering, working = [], [], []
    async with node.running(hits * (blocks + 1), hits) as one:
        settings = Settings(
            one.url, confirmations=REQUIRED, database=database, poll_interval=POLL_SECONDS
        )
        source = EthereumSource(one.url)
        async with TransactionTrackerApplication(settings):
            tune_collector()
            with heard() as follower:
                for _ in range(blocks):
                    began = time.process_time()
                    head = await one.mine()
                    applied = await follower.at(head.number)
                    working.append(time.process_time() - began)
                    if applied.hits != hits:
                        raise RuntimeError(f"{applied.hits} hits, not {hits}")
                    applying.append(applied.seconds)
                    answering.append(await _receipts(source, BlockRef(head.number, head.hash)))
                # By itself: what measures it takes time, too.
                head = await one.mine()
                blocked = await max_blocked_seconds(follower.at(head.number))
        await source.close()
    return {"apply": applying, "node": answering, "processor": working, "blocked": [blocked]}


async def _receipts(source: EthereumSource, ref: BlockRef) -> float:
    block = await source.block(ref)
    began = time.monotonic()
    await source.outcomes(block, block.ids)
    return time.monotonic() - began
