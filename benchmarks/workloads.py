"""The workloads of the Python implementations: what each starts, measures and gives."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any, Generic, TypeVar

from benchmarks import counting, loops
from benchmarks.implementation import Implementation, Server
from benchmarks.memory import resident_bytes

PASSES = 3
BROADCAST = 1_000
WARM_UP = 1_000
CRASHES = 5_000

Figures = dict[str, float]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Workloads(Generic[Server]):
    """Every workload on one implementation, at one size.

    Each runs inside ``implementation.running()`` and gives figures: ``time`` in seconds per
    operation (of ``stop``: for all), ``cpu`` in seconds of processor time, ``bytes`` per server.
    """

    implementation: Implementation[Server]
    servers: int
    operations: int
    key: Callable[[str], Hashable] = str

    def _with_tuples(self) -> "Workloads[Server]":
        """Return the same workloads with tuples as ids."""
        return replace(self, key=lambda one: ("txn", one))

    async def run(self, name: str) -> Figures:
        """Run the workload ``name``."""
        known: dict[str, Callable[[], Awaitable[Figures]]] = {
            "start": self.start,
            "start_tuples": self._with_tuples().start,
            "call": self.call,
            "call_named": self.call_named,
            "call_via": self.call_via,
            "call_within": self.call_within,
            "clients": self.clients,
            "clients_within": self.clients_within,
            "cast_one": self.cast_one,
            "cast_spread": self.cast_spread,
            "cast_each": self.cast_each,
            "lookup": self.lookup,
            "lookup_tuples": self._with_tuples().lookup,
            "crash": self.crash,
            "stop": self.stop,
            "stalls": self.stalls,
            "scale": self.scale,
            "counted": self.counted,
            "allocated": self.allocated,
        }
        return await known[name]()

    async def start(self) -> Figures:
        """Start servers one after another."""
        await self._start(self._ids(WARM_UP, "warm"))
        wanted = self._ids(self.servers)
        gc.collect()
        before = resident_bytes()
        spent = await loops.spent(self._start(wanted))
        gc.collect()
        size = resident_bytes() - before
        return {**spent.per(self.servers), "bytes": size / self.servers}

    async def call(self) -> Figures:
        """Call the servers in turn."""
        targets = await self._targets()
        return await self._call_passes(targets)

    async def call_named(self) -> Figures:
        """Call one server by its local name."""
        [server] = await self._start(self._ids(1))
        assert self.implementation.register is not None
        self.implementation.register(server, "tracker")
        return await self._call_passes(["tracker"] * self.operations)

    async def call_via(self) -> Figures:
        """Call the servers in turn by their names."""
        await self._start(self._ids(self.servers))
        assert self.implementation.via is not None
        names = [self.implementation.via(one) for one in self._ids(self.servers)]
        return await self._call_passes(repeat(names, self.operations))

    async def call_within(self) -> Figures:
        """Call the servers in turn, with a time limit."""
        targets = await self._targets()
        call = self.implementation.call_within
        return await self._passes(lambda: loops.call_each(call, targets))

    async def clients(self) -> Figures:
        """Call the servers from many tasks at once."""
        targets = await self._targets()
        call, request = self.implementation.call, self.implementation.requests.status
        return await self._passes(lambda: loops.call_at_once(call, targets, request))

    async def clients_within(self) -> Figures:
        """Call the servers from many tasks at once, with a time limit."""
        targets = await self._targets()
        call = self.implementation.call_within
        return await self._passes(lambda: loops.call_at_once(call, targets))

    async def cast_one(self) -> Figures:
        """Cast to one server and wait, by a call, until it has handled all."""
        [target] = await self._start(self._ids(1))
        bump, request = self.implementation.bump, self.implementation.requests.bump

        async def bump_and_wait() -> None:
            await loops.bump_all(bump, target, self.operations, request)
            # Messages of one sender arrive in order: the answer comes after the last bump.
            await self._call_each([target])

        return await self._passes(bump_and_wait)

    async def cast_spread(self) -> Figures:
        """Cast to the servers in turn, several times round, and wait until all are handled."""
        return await self._cast_bursts(self.operations)

    async def cast_each(self) -> Figures:
        """Cast to each server once and wait until all have handled theirs, over and over."""
        return await self._cast_bursts(self.servers)

    async def lookup(self) -> Figures:
        """Look servers up by ids that come as new strings, as requests bring them."""
        await self._start(self._ids(self.servers))
        return await self._look_up_passes()

    async def crash(self) -> Figures:
        """Crash servers one after another; each until its successor is found."""
        warm_up = self._ids(max(1, self.operations // 10), "warm")
        await self._start([*self._ids(self.servers), *warm_up])
        await self._crash(warm_up)
        return await self._once(self._crash(self._ids(self.operations)))

    async def stop(self) -> Figures:
        """Stop the supervisor of all servers; the time is that of all together."""
        await self._start(self._ids(self.servers))
        spent = await loops.spent(self.implementation.stop())
        if any(self.implementation.lookup(one) is not None for one in self._ids(self.servers)):
            raise RuntimeError("a server outlived its supervisor")
        return spent.per(1)

    async def stalls(self) -> Figures:
        """Measure how long the event loop is blocked during a mass start and a mass crash."""
        start = await loops.max_blocked_seconds(self._start(self._ids(self.servers)))
        doomed = self._ids(self.operations)
        crash = await loops.max_blocked_seconds(self._break_down(doomed))
        return {"start": start, "crash": crash}

    async def counted(self) -> Figures:
        """Count the Python functions that a start and a crash call, and measure an empty call."""
        await self._start(self._ids(WARM_UP, "warm"))
        wanted = self._ids(self.servers)
        starts = await counting.calls_of(self._start(wanted))
        crashes = await counting.calls_of(self._crash(wanted))
        return {
            "starts": starts / self.servers,
            "crashes": crashes / self.servers,
            "empty": counting.seconds_of_an_empty_call(),
        }

    async def allocated(self) -> Figures:
        """Count the objects of the garbage collector, and the bytes, of a server without its id."""
        await self._start(self._ids(WARM_UP, "warm"))
        wanted = self._ids(self.servers)
        tracked, size_bytes = await counting.allocated_by(self._start_alone(wanted))
        return {"tracked": tracked / self.servers, "bytes": size_bytes / self.servers}

    async def scale(self) -> Figures:
        """Measure what must cost the same at any number of servers."""
        figures = await self.start()
        # Taken before the rest adds the harness's own lists.
        figures |= {"total": figures["time"] * self.servers, "rss": float(resident_bytes())}
        figures["lookup"] = (await self._look_up_passes())["time"]
        targets = self._found(self._ids(self.servers))
        calls = self._call_each(repeat(targets, self.operations))
        figures["call"] = (await self._once(calls))["time"]
        bursts = in_bursts(repeat(targets, self.operations), BROADCAST)
        figures["cast"] = (await self._once(self._arrive_bursts(bursts)))["time"]
        doomed = repeat(self._ids(self.servers)[:: max(1, self.servers // CRASHES)], CRASHES)
        figures["crash"] = (await loops.spent(self._crash(doomed))).time / CRASHES
        figures["collection"] = seconds_to_collect()
        gc.freeze()  # the rest of `beamish.freeze_heap`, which asyncio's program must not import
        figures["frozen"] = seconds_to_collect()
        return figures

    def _ids(self, count: int, prefix: str = "txn") -> list[Any]:
        return [self.key(one) for one in ids(count, prefix)]

    async def _start(self, wanted: Sequence[Any]) -> list[Server]:
        return await loops.start_each(self.implementation.start, wanted)

    async def _start_alone(self, wanted: Sequence[Any]) -> None:
        """Start servers, and keep no list of them."""
        for one in wanted:
            await self.implementation.start(one)

    async def _targets(self) -> list[Server]:
        return repeat(await self._start(self._ids(self.servers)), self.operations)

    def _found(self, wanted: Sequence[Any]) -> list[Server]:
        found = [self.implementation.lookup(one) for one in wanted]
        servers = [server for server in found if server is not None]
        if len(servers) != len(wanted):
            raise RuntimeError(f"{len(wanted) - len(servers)} servers were not found")
        return servers

    async def _crash(self, doomed: Sequence[Any]) -> None:
        await loops.crash_each(self.implementation.crash, self.implementation.lookup, doomed)

    async def _break_down(self, doomed: Sequence[Any]) -> None:
        """Crash servers at once, and wait until all have successors."""
        assert self.implementation.break_down is not None
        servers = self._found(doomed)
        for number, server in enumerate(servers):
            self.implementation.break_down(server)
            if number % BROADCAST == 0:
                await asyncio.sleep(0)  # the sender is not what is measured
        for one, server in zip(doomed, servers, strict=True):
            while self.implementation.lookup(one) in (server, None):
                await asyncio.sleep(0)

    async def _cast_bursts(self, size: int) -> Figures:
        bursts = in_bursts(await self._targets(), size)
        return await self._passes(lambda: self._arrive_bursts(bursts))

    def _arrive_bursts(self, bursts: Sequence[Sequence[Server]]) -> Awaitable[None]:
        arrive, request = self.implementation.arrive, self.implementation.requests.arrive
        return loops.arrive_bursts(arrive, bursts, request)

    def _call_each(self, targets: Sequence[Any]) -> Awaitable[None]:
        call, request = self.implementation.call, self.implementation.requests.status
        return loops.call_each(call, targets, request)

    async def _call_passes(self, targets: Sequence[Any]) -> Figures:
        return await self._passes(lambda: self._call_each(targets))

    async def _once(self, work: Awaitable[object]) -> Figures:
        return (await loops.spent(work)).per(self.operations)

    async def _passes(self, work: Callable[[], Awaitable[object]]) -> Figures:
        await work()
        return medians([await self._once(work()) for _ in range(PASSES)])

    async def _look_up_passes(self) -> Figures:
        passes = []
        for _ in range(PASSES + 1):
            # New strings each time: Python remembers the hash of one that it has seen.
            wanted = [self.key(one) for one in in_turn(self.servers, self.operations)]
            passes.append(await self._once(loops.look_up_each(self.implementation.lookup, wanted)))
        return medians(passes[1:])


def medians(passes: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in passes) for name in passes[0]}


def seconds_to_collect() -> float:
    """Measure a full collection of garbage."""
    before = time.perf_counter()
    gc.collect()
    return time.perf_counter() - before


def transaction_id(number: int, prefix: str = "txn") -> str:
    """Return the id of a transaction, as a new string."""
    return f"{prefix}_{number:024}"


def ids(count: int, prefix: str = "txn") -> list[str]:
    """Return the ids of ``count`` transactions."""
    return [transaction_id(number, prefix) for number in range(1, count + 1)]


def in_turn(servers: int, operations: int) -> list[str]:
    """Return ``operations`` ids that repeat those of ``servers`` transactions."""
    return [transaction_id(number % servers + 1) for number in range(operations)]


def repeat(items: Sequence[Item], length: int) -> list[Item]:
    """Repeat ``items`` in turn up to ``length``."""
    return list(islice(cycle(items), length))


def in_bursts(targets: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Cut ``targets`` into bursts of ``size``."""
    return [targets[start : start + size] for start in range(0, len(targets), size)]
