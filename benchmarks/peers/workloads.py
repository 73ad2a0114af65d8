"""The workloads that every library runs: what each starts, measures and gives."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmarks.loops import spent
from benchmarks.peers.peer import Peer, Server
from benchmarks.workloads import PASSES, Figures, ids, in_turn, medians, repeat

# Without it, a pass of a fast library would end before the system gives the processor to another
# program, and one of a slow library would not: a busy machine would slow down only the slow one.
MIN_PASS_SECONDS = 0.1

Prepared = TypeVar("Prepared")


@dataclass(frozen=True, slots=True)
class PeerWorkloads(Generic[Server]):
    """Every workload on one library; each gives ``time``, in seconds per operation."""

    peer: Peer[Server]
    servers: int
    operations: int

    async def run(self, name: str) -> Figures:
        """Run the workload ``name``."""
        known: dict[str, Callable[[], Awaitable[Figures]]] = {
            "start": self.start,
            "call": self.call,
            "cast": self.cast,
            "lookup": self.lookup,
            "crash": self.crash,
        }
        # Processor time is left out: it would not count Thespian's other processes.
        return {"time": (await known[name]())["time"]}

    async def start(self) -> Figures:
        """Start servers."""
        await self.peer.start_each(ids(max(1, self.servers // 10), "warm"))
        return (await spent(self.peer.start_each(ids(self.servers)))).per(self.servers)

    async def call(self) -> Figures:
        """Call the servers in turn."""
        targets = repeat(await self.peer.start_each(ids(self.servers)), self.operations)
        return await self._passes(lambda: targets, self.peer.call_each)

    async def cast(self) -> Figures:
        """Cast to the servers in turn, and wait by a call to each until they have handled all."""
        servers = await self.peer.start_each(ids(self.servers))
        every = repeat(servers, self.operations)
        casts = 0

        async def cast_and_wait(targets: Sequence[Server]) -> None:
            nonlocal casts
            casts += len(targets) // len(servers)
            await self.peer.cast_each(targets)
            # Messages of one sender arrive in order: the answer comes after the last cast.
            await self.peer.call_each(servers)

        figures = await self._passes(lambda: every, cast_and_wait)
        if (handled := await self.peer.call_each(servers)) != casts:
            raise RuntimeError(f"the last server handled {handled} of {casts} casts")
        return figures

    async def lookup(self) -> Figures:
        """Look servers up by names that come as new strings, as requests bring them."""
        assert self.peer.look_up_each is not None
        await self.peer.start_each(ids(self.servers))
        return await self._passes(
            lambda: in_turn(self.servers, self.operations), self.peer.look_up_each
        )

    async def crash(self) -> Figures:
        """Crash servers one after another; each until its successor is found."""
        assert self.peer.crash_each is not None
        warm_up = ids(max(1, self.operations // 10), "warm")
        await self.peer.start_each([*ids(self.servers), *warm_up])
        await self.peer.crash_each(warm_up)
        return (await spent(self.peer.crash_each(ids(self.operations)))).per(self.operations)

    async def _passes(
        self, prepare: Callable[[], Prepared], work: Callable[[Prepared], Awaitable[object]]
    ) -> Figures:
        """Return the medians of several passes after one to warm up.

        A pass repeats ``work``, each time with what ``prepare`` returns, for `MIN_PASS_SECONDS`.
        """
        first = await spent(work(prepare()))
        rounds = math.ceil(MIN_PASS_SECONDS / first.time)
        passes = []
        for _ in range(PASSES):
            prepared = [prepare() for _ in range(rounds)]
            passes.append((await spent(_repeat(work, prepared))).per(rounds * self.operations))
        return medians(passes)


async def _repeat(
    work: Callable[[Prepared], Awaitable[object]], prepared: Sequence[Prepared]
) -> None:
    for one in prepared:
        await work(one)
