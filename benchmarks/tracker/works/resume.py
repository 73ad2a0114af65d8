"""Start the application on a database full of open transactions, and let it follow a few blocks."""

import asyncio
import gc
import resource
import time

from beamish import Registry
from benchmarks.memory import resident_bytes
from benchmarks.tracker.blocks import PATIENCE, heard
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.tracker import REGISTRY

POLL_SECONDS = 0.1
LOOK_SECONDS = 0.002


async def run(
    database: str, node: str, tracked: int, required: int, blocks: int
) -> dict[str, float]:
    """Start, follow, stop.

    Args:
        database: With ``tracked`` open transactions.
        node: The URL of a node that knows them.
        tracked: How many there should be.
        required: Confirmations that make each final.
        blocks: How many blocks to follow after the first.

    Returns:
        ``running``: seconds until every tracker runs; ``applied``: until the first block is
        applied, too; ``processor``: seconds of work that this took; ``collection``: seconds that
        a collection of all garbage takes then; ``bytes``: resident memory per tracked
        transaction, with its process; ``resident`` and ``peak``: that of the whole program;
        ``block``: seconds that a block took at most; ``stop``: seconds until all have stopped.
    """
    settings = Settings(node, confirmations=required, database=database, poll_interval=POLL_SECONDS)
    client = RpcClient(SecretUrl(node))
    head = await client.call("eth_getBlockByNumber", "latest", False)
    gc.collect()
    before = resident_bytes()
    began, worked = time.monotonic(), time.process_time()
    async with TransactionTrackerApplication(settings) as app:
        figures = {"running": time.monotonic() - began}
        trackers = Registry.count(REGISTRY)
        if not trackers == app.open == tracked:
            raise RuntimeError(f"{trackers} trackers of {app.open} of {tracked} transactions")
        # Not told by telemetry: a start is measured as it is without.
        await reach(app, head["hash"])
        figures["applied"] = time.monotonic() - began
        figures["processor"] = time.process_time() - worked
        figures["collection"] = collect()
        figures["resident"] = resident_bytes()
        figures["bytes"] = (figures["resident"] - before) / tracked
        figures["block"] = await follow(client, blocks)
        ending = time.monotonic()
    figures["stop"] = time.monotonic() - ending
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    await client.close()
    return figures


def collect() -> float:
    """Collect all garbage, and say how long that took."""
    began = time.monotonic()
    gc.collect()
    return time.monotonic() - began


async def reach(app: TransactionTrackerApplication, block: str) -> None:
    """Wait until a block is applied."""
    async with asyncio.timeout(PATIENCE):
        while app.tip is None or app.tip.hash != block:
            await asyncio.sleep(LOOK_SECONDS)


async def follow(client: RpcClient, blocks: int) -> float:
    """Have blocks mined, one after the other, and give the time that one took at most."""
    times = [0.0]
    with heard() as follower:
        for _ in range(blocks):
            await client.call("evm_mine")
            number = int(await client.call("eth_blockNumber"), 16)
            times.append((await follower.at(number)).seconds)
    return max(times)
