"""What is measured, the same lines for both Python implementations.

``beam/bench.ex`` has the same loops in Elixir.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.implementation import Server
from benchmarks.latch import LATCH

CLIENTS = 100


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work has taken.

    Args:
        time: Seconds that went by.
        cpu: Seconds of processor time of this process.
    """

    time: float
    cpu: float

    def per(self, operations: int) -> dict[str, float]:
        """Return the figures of one of ``operations``."""
        return {"time": self.time / operations, "cpu": self.cpu / operations}


async def spent(work: Awaitable[object]) -> Spent:
    """Measure what ``work`` takes."""
    before, cpu_before = time.perf_counter(), time.process_time()
    await work
    cpu, now = time.process_time(), time.perf_counter()
    return Spent(now - before, cpu - cpu_before)


async def start_each(
    start: Callable[[Any], Awaitable[Server]], wanted: Iterable[Any]
) -> list[Server]:
    servers = [await start(one) for one in wanted]
    # A task made by hand runs for the first time when the loop comes round.
    await asyncio.sleep(0)
    return servers


async def call_each(
    call: Callable[..., Awaitable[object]], targets: Iterable[Any], request: str | None = None
) -> None:
    if request is None:
        for target in targets:
            await call(target)
    else:
        for target in targets:
            await call(target, request)


async def call_at_once(
    call: Callable[..., Awaitable[object]], targets: Sequence[Any], request: str | None = None
) -> None:
    shares = [targets[client::CLIENTS] for client in range(CLIENTS)]
    await asyncio.gather(*(call_each(call, share, request) for share in shares))


async def bump_all(
    bump: Callable[..., None], target: Any, casts: int, request: str | None = None
) -> None:
    if request is None:
        for _ in range(casts):
            bump(target)
    else:
        for _ in range(casts):
            bump(target, request)


async def arrive_bursts(
    arrive: Callable[..., None], bursts: Iterable[Sequence[Any]], request: str | None = None
) -> None:
    for burst in bursts:
        all_arrived = LATCH.set(len(burst))
        if request is None:
            for target in burst:
                arrive(target)
        else:
            for target in burst:
                arrive(target, request)
        await all_arrived


async def look_up_each(lookup: Callable[[Any], Server | None], wanted: Iterable[Any]) -> None:
    for one in wanted:
        lookup(one)


async def crash_each(
    crash: Callable[[Server], Awaitable[None]],
    lookup: Callable[[Any], Server | None],
    doomed: Iterable[Any],
) -> None:
    for one in doomed:
        server = lookup(one)
        if server is None:
            raise LookupError(one)
        await crash(server)
        while (successor := lookup(one)) is None or successor == server:
            await asyncio.sleep(0)


async def max_blocked_seconds(work: Awaitable[object]) -> float:
    """Return for how many seconds at most ``work`` blocked the event loop at a time."""
    most, before = 0.0, time.perf_counter()

    async def tick() -> None:
        nonlocal most, before
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            most, before = max(most, now - before), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        await work
        await asyncio.sleep(0)  # the last step counts, too
    finally:
        ticking.cancel()
    return most
