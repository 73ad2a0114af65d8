"""Random lives of a simulated cluster, and the oracle that judges them by the guarantees."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

from beamish import (
    AlreadyStartedError,
    Down,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    StartError,
    Stop,
    call,
    cast,
    process,
)
from beamish.cluster import (
    Cluster,
    ClusterDynamicSupervisor,
    ClusterRegistry,
    StoreUnavailableError,
)
from beamish.cluster._store.protocol import Name
from beamish.testing.cluster import SimulatedCluster

from .servers import ACCOUNTS, SUPERVISOR, Bank

KEYS = [f"key-{number}" for number in range(12)]
FAULT_SECONDS = 20.0
HEALING_SECONDS = 30.0


@dataclass
class History:
    """What has happened, as nobody in the cluster can see it."""

    cluster: SimulatedCluster
    acts: list[tuple[float, str, int, int]] = field(default_factory=list)
    executed: list[tuple[str, Any]] = field(default_factory=list)
    cast: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    replied: list[Any] = field(default_factory=list)
    started: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)  # keys whose start or end is not certain
    running: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    monitors: set[Any] = field(default_factory=set)
    downs: list[Any] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)
    # Of each key, in order: an act as None, a state that was handed over, and one that was taken.
    states: dict[str, list[tuple[str, int] | None]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def act(self, key: str) -> None:
        """Record that a callback has begun."""
        fence = Cluster.fence()
        self.acts.append((self.cluster.now, key, fence.shard, fence.epoch))
        self.states[key].append(None)

    def hand_over(self, key: str) -> int:
        """Record that a process has handed over; return the state."""
        state = len(self.states[key])
        self.states[key].append(("handed", state))
        return state

    def take(self, key: str, state: int) -> None:
        """Record that a process has got a state."""
        self.states[key].append(("taken", state))

    def write(self) -> None:
        """Write under the fence, at the store."""
        fence = Cluster.fence()
        if self.cluster.store.is_newest(fence.shard, fence.epoch):
            self.writes.append((fence.shard, fence.epoch))


HISTORY: History


class Ledger(GenServer, restart="transient"):
    """A server that acts by itself and records all that it does."""

    def __init__(self, key: str) -> None:
        self.key = key

    def init(self, *, handoff: bytes | None = None) -> None:
        if handoff is not None:
            HISTORY.take(self.key, int(handoff))
        HISTORY.act(self.key)
        process.send_after(self.pid, "tick", 0.3)

    def handle_info(self, message: Any) -> None:
        HISTORY.act(self.key)
        HISTORY.write()
        process.send_after(self.pid, "tick", 0.3)

    def handoff(self) -> bytes:
        return b"%d" % HISTORY.hand_over(self.key)

    @call
    def run(self, number: int) -> int:
        HISTORY.act(self.key)
        HISTORY.executed.append((self.key, number))
        return number

    @call
    async def run_slowly(self, number: int) -> int:
        HISTORY.act(self.key)
        HISTORY.executed.append((self.key, number))
        await asyncio.sleep(0.5)
        return number

    @cast
    def note(self, number: int) -> None:
        HISTORY.act(self.key)
        HISTORY.cast[self.key, Cluster.fence().epoch].append(number)

    @call
    def crash(self) -> None:
        HISTORY.act(self.key)
        raise ValueError("crash")

    @call
    def end(self) -> str:
        HISTORY.act(self.key)
        return Stop("normal", "bye")  # type: ignore[return-value]


class Life:
    """One random life of a cluster."""

    def __init__(self, cluster: SimulatedCluster, random: Random) -> None:
        global HISTORY
        self.history = HISTORY = History(cluster)
        self.cluster = cluster
        self.random = random
        self.joined: Cluster
        self.number = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.cuts: set[tuple[str, str]] = set()

    async def run(self) -> None:
        while True:
            try:
                await self._run()
            except StartError as error:
                # Lost while it joined, or while the application declared its tree.
                cause: BaseException | None = error
                while not isinstance(cause, StoreUnavailableError):
                    if cause is None:
                        raise
                    cause = cause.__cause__
                continue
            return

    async def _run(self) -> None:
        async with self.cluster.join() as self.joined, Bank():
            receiver = process.spawn(self._receive)
            end = self.cluster.now + FAULT_SECONDS
            while self.cluster.now < end:
                await asyncio.sleep(self.random.random() * 0.4)
                self._do(self._request(self.random.choice(KEYS), receiver))
                if self.random.random() < 0.12:
                    self._do(self._fault())
            await asyncio.sleep(HEALING_SECONDS)
            for cut in self.cuts:
                self.cluster.heal(*cut)
            await asyncio.gather(*self.tasks)
            await self._settle()

    def _do(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)

    async def _receive(self) -> None:
        while True:
            match await process.receive():
                case Down() as down:
                    self.history.downs.append(down.ref)
                case pid, "monitor":
                    self.history.monitors.add(process.monitor(pid))

    # -- Requests

    async def _request(self, key: str, receiver: Pid) -> None:
        self.number += 1
        via = ClusterRegistry.via("accounts", key)
        choice = self.random.random()
        if choice < 0.25 or key not in self.history.running:
            await self._start(key)
        elif choice < 0.6:
            await self._call(via, self.number)
        elif choice < 0.8:
            for number in range(self.number * 10, self.number * 10 + 5):
                Ledger.note(via, number)
        elif choice < 0.9:
            process.send(receiver, (via, "monitor"))
        elif choice < 0.95:
            await self._end(key, via)
        else:
            with suppress(ExitError):
                await Ledger.crash(via)

    async def _start(self, key: str) -> None:
        history = self.history
        spec = Ledger.child_spec(key, name=ClusterRegistry.via(ACCOUNTS, key))
        try:
            await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)
        except AlreadyStartedError:
            pass
        except (StartError, ExitError):
            history.unsure.add(key)
        else:
            history.started[key] += 1
            history.running.add(key)
            history.ended.discard(key)

    async def _call(self, via: Any, number: int) -> None:
        slow = self.random.random() < 0.3
        try:
            await (Ledger.run_slowly if slow else Ledger.run).timeout(8)(via, number)
        except ExitError:
            return
        self.history.replied.append(number)

    async def _end(self, key: str, via: Any) -> None:
        history = self.history
        history.running.discard(key)
        by_supervisor = self.random.random() < 0.5
        try:
            if by_supervisor:
                await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, via)
            else:
                await Ledger.end.timeout(8)(via)
        except Exception:  # any failure leaves it uncertain
            history.unsure.add(key)
        else:
            (history.ended if by_supervisor else history.unsure).add(key)

    # -- Faults

    async def _fault(self) -> None:
        cluster, random = self.cluster, self.random
        node = random.choice(cluster.nodes)
        seconds = random.random() * 8
        choice = random.randrange(8)
        if choice == 0:
            cluster.add_node()
            cluster.kill(node)
        elif choice == 1:
            cluster.pause(node, seconds)
        elif choice in (2, 3, 4):
            other = ("head", "store", "program")[choice - 2]
            await self._cut_for(node, other, seconds)
        elif choice == 5:
            cluster.pause("store", seconds)
        elif choice == 6:
            cluster.kill_host(random.randrange(4))
        else:
            with suppress(Exception):  # such as a node that was killed meanwhile
                await self.joined.drain(node, deadline=10)

    async def _cut_for(self, first: str, second: str, seconds: float) -> None:
        self.cuts.add((first, second))
        self.cluster.cut(first, second)
        await asyncio.sleep(seconds)
        self.cluster.heal(first, second)

    # -- The end

    async def _settle(self) -> None:
        history = self.history
        for key in sorted(history.running - history.unsure):
            await self._answers(key)
        await asyncio.sleep(3)

    async def _answers(self, key: str) -> None:
        via = ClusterRegistry.via(ACCOUNTS, key)
        for _ in range(5):  # the network still loses some requests
            self.number += 1
            try:
                await Ledger.run.timeout(10)(via, self.number)
            except NoProcessError:
                raise AssertionError(f"guarantee 4: the name {key!r} is lost") from None
            except ExitError as error:
                last = error
            else:
                return
        raise AssertionError(f"guarantee 4: the name {key!r} does not answer: {last}")

    def judge(self) -> None:
        """Raise AssertionError if a guarantee was broken."""
        history = self.history
        newest: dict[int, int] = defaultdict(int)
        for time, key, shard, epoch in history.acts:
            assert epoch >= newest[shard], (
                f"guarantee 2: at {time} {key} acts in epoch {epoch} of shard {shard}, after "
                f"epoch {newest[shard]} has acted"
            )
            newest[shard] = epoch
        written: dict[int, int] = defaultdict(int)
        for shard, epoch in history.writes:
            assert epoch >= written[shard], "guarantee 3: an old epoch writes after a newer one"
            written[shard] = epoch
        twice = [number for number, times in Counter(history.executed).items() if times > 1]
        assert twice == [], "guarantee 5: a call ran twice"
        executed = {number for _, number in history.executed}
        assert set(history.replied) <= executed, "guarantee 5: a reply without its call"
        for (key, epoch), numbers in history.cast.items():
            assert numbers == sorted(set(numbers)), f"guarantee 5: order at {key}, epoch {epoch}"
        assert max(Counter(history.downs).values(), default=0) <= 1, "guarantee 6: Down twice"
        for key, states in history.states.items():
            for before, after in pairwise([None, *states]):
                if after is not None and after[0] == "taken":
                    assert before == ("handed", after[1]), f"hand-over: {key} got an old state"
        for key in history.ended - history.unsure - history.running:
            name = Name(ACCOUNTS, key)
            assert name not in self.cluster.store.stored, f"guarantee 9: {key} is still stored"


def live(seed: int) -> Any:
    """Return the main function of the life of a seed."""

    async def main(cluster: SimulatedCluster) -> History:
        life = Life(cluster, Random(seed))
        await life.run()
        life.judge()
        return life.history

    return main
