"""Deliver events to one receiver that answers, while others never answer."""

import asyncio
import time
from contextlib import AsyncExitStack

from benchmarks.tracker import hanging, node
from benchmarks.tracker.samples import percentiles
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.delivery import endpoints
from transaction_tracker.store.garbage_collection import tune_collector

REQUIRED = 1_000
POLL_SECONDS = 0.05
BLOCK_SECONDS = 0.25
# For so long an event that has not arrived is waited for.
PATIENCE = 30.0


async def run(database: str, events: int, hanging_receivers: int) -> dict[str, float]:
    """Mine blocks with one tracked transaction in each, and time the way to the good receiver.

    Args:
        database: With ``events`` open transactions.
        events: How many blocks are mined.
        hanging_receivers: How many endpoints never answer.

    Returns:
        ``p50``, ``p95``, ``p99``: seconds from the block's being mined to the message's arrival;
        ``late``: how many events had not arrived in the end. These count with the whole time.
    """
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(node.running(events, 1))
        receivers = await stack.enter_async_context(hanging.running())
        settings = Settings(
            one.url,
            confirmations=REQUIRED,
            database=database,
            poll_interval=POLL_SECONDS,
            allow_private=("127.0.0.0/8",),
        )
        await stack.enter_async_context(TransactionTrackerApplication(settings))
        tune_collector()
        for url in receivers.hanging(hanging_receivers):
            await endpoints.add(url)
        await endpoints.add(receivers.good)
        mined = await _mine(one, events)
        arrived = await _arrivals(receivers, events)
    ended = time.monotonic()
    took = [arrived.get(block, ended) - at for block, at in mined.items()]
    return percentiles(took) | {"late": float(len(mined.keys() - arrived.keys()))}


async def _mine(one: node.Node, events: int) -> dict[int, float]:
    mined = {}
    for _ in range(events):
        head = await one.mine()
        mined[head.number] = head.time
        await asyncio.sleep(BLOCK_SECONDS)
    return mined


async def _arrivals(receivers: hanging.Receivers, events: int) -> dict[int, float]:
    until = time.monotonic() + PATIENCE
    while len(arrived := await receivers.arrivals()) < events and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return arrived
