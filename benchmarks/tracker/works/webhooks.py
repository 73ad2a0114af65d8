"""Deliver events to receivers on this machine, signed, each in a request of its own."""

import asyncio
from contextlib import AsyncExitStack

from benchmarks.tracker import node, receiver
from benchmarks.tracker.blocks import PATIENCE
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.delivery import endpoints
from transaction_tracker.store.garbage_collection import tune_collector

REQUIRED = 1_000
POLL_SECONDS = 0.05


async def run(database: str, events: int, receivers: int) -> dict[str, float]:
    """Mine a block full of tracked transactions, and wait until every receiver knows of each.

    Args:
        database: With ``events`` open transactions.
        events: How many the block holds.
        receivers: How many endpoints there are; each gets every event.

    Returns:
        ``rate``: deliveries per second, to all endpoints together, from the block's being mined
        to the last one's coming; ``repeated``: requests beyond one for each.
    """
    async with AsyncExitStack() as stack, node.running(events, events) as one:
        settings = Settings(
            one.url,
            confirmations=REQUIRED,
            database=database,
            poll_interval=POLL_SECONDS,
            allow_private=("127.0.0.1/32",),
        )
        all_of_them = [
            await stack.enter_async_context(receiver.running(events)) for _ in range(receivers)
        ]
        async with TransactionTrackerApplication(settings):
            tune_collector()
            for each in all_of_them:
                await endpoints.add(each.url)
            began = (await one.mine()).time
            async with asyncio.timeout(PATIENCE):
                told = [await each.all() for each in all_of_them]
    last = max(at for at, _ in told)
    requests = sum(count for _, count in told)
    return {
        "rate": events * receivers / (last - began),
        "repeated": float(requests - events * receivers),
    }
