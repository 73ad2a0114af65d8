"""beamish, with the program of the other tables."""

import asyncio
from collections.abc import Sequence

from beamish import Pid
from benchmarks import ours
from benchmarks.peers.peer import Main, Peer, run_in_asyncio


def run(main: Main) -> None:
    """Run the registry and the supervisor around ``main``."""

    async def supervised() -> None:
        async with ours.running():
            await main()

    run_in_asyncio(supervised)


async def start_each(names: Sequence[str]) -> list[Pid]:
    return [await ours.TransactionTracker.track(name) for name in names]


async def call_each(servers: Sequence[Pid]) -> int:
    answer = 0
    for server in servers:
        answer = await ours.TransactionTracker.status(server)
    return answer


async def cast_each(servers: Sequence[Pid]) -> None:
    for server in servers:
        ours.TransactionTracker.bump(server)


async def look_up_each(names: Sequence[str]) -> None:
    for name in names:
        ours.lookup(name)


async def crash_each(names: Sequence[str]) -> None:
    for name in names:
        server = ours.lookup(name)
        assert server is not None
        await ours.crash(server)
        while ours.lookup(name) in (server, None):
            await asyncio.sleep(0)


def peer() -> Peer[Pid]:
    """Return the loops."""
    return Peer(run, start_each, call_each, cast_each, look_up_each, crash_each)
