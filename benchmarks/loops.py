"""What is measured, the same lines for both Python implementations.

``beam/bench.ex`` has the same loops in Elixir.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from benchmarks.implementation import Server
from benchmarks.latch import LATCH

CLIENTS = 100


async def seconds(work: Awaitable[object]) -> float:
    """Measure how long ``work`` takes."""
    before = time.perf_counter()
    await work
    return time.perf_counter() - before


async def start_each(
    start: Callable[[str], Awaitable[Server]], wanted: Iterable[str]
) -> list[Server]:
    servers = [await start(one) for one in wanted]
    # A task made by hand runs for the first time when the loop comes round.
    await asyncio.sleep(0)
    return servers


async def call_each(call: Callable[[Server], Awaitable[object]], targets: Iterable[Server]) -> None:
    for target in targets:
        await call(target)


async def call_at_once(
    call: Callable[[Server], Awaitable[object]], targets: Sequence[Server]
) -> None:
    shares = [targets[client::CLIENTS] for client in range(CLIENTS)]
    await asyncio.gather(*(call_each(call, share) for share in shares))


async def bump_all(
    bump: Callable[[Server], None],
    call: Callable[[Server], Awaitable[object]],
    target: Server,
    casts: int,
) -> None:
    for _ in range(casts):
        bump(target)
    # Messages of one sender arrive in order: the answer comes after the last bump.
    await call(target)


async def arrive_bursts(
    arrive: Callable[[Server], None], bursts: Iterable[Sequence[Server]]
) -> None:
    for burst in bursts:
        all_arrived = LATCH.set(len(burst))
        for target in burst:
            arrive(target)
        await all_arrived


async def look_up_each(lookup: Callable[[str], Server | None], wanted: Iterable[str]) -> None:
    for one in wanted:
        lookup(one)


async def crash_each(
    crash: Callable[[Server], Awaitable[None]],
    lookup: Callable[[str], Server | None],
    doomed: Iterable[str],
) -> None:
    for one in doomed:
        server = lookup(one)
        if server is None:
            raise LookupError(one)
        await crash(server)
        while (successor := lookup(one)) is None or successor == server:
            await asyncio.sleep(0)
