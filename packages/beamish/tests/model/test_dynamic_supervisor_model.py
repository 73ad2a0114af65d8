"""Random lives of children under a dynamic supervisor, named in a registry, against a dict."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    Counts,
    DynamicSupervisor,
    ExitError,
    GenServer,
    IgnoredError,
    NoProcessError,
    NotFoundError,
    Pid,
    Registry,
    StartError,
    process,
)
from beamish.testing import settle

from .support import (
    REASONS,
    AsyncPlayer,
    Player,
    World,
    budget,
    gone,
    outcome,
    restarts,
    seeds,
)

KEYS = "abcd"
keys = st.sampled_from(KEYS)
restart_types = st.sampled_from(["permanent", "transient", "temporary"])
players = st.sampled_from([Player, AsyncPlayer])


@dataclass
class Child:
    """What the model knows of a child; ``pid`` is ``None`` until its new one is seen."""

    key: str
    restart: str
    pid: Pid | None = None
    script: list[str] = field(default_factory=list)  # shared with the process
    plan: list[str] = field(default_factory=list)  # the model's copy of it
    tags: list[str] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    """Each rule does one thing to real processes and to the dict, then both are compared."""

    simulated: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.children: dict[str, Child] = {}
        self.seen: set[Pid] = set()

    @initialize(seed=seeds)
    def open(self, seed: int) -> None:
        self.world = World(seed if self.simulated else None)

        async def start() -> None:
            self.me = process.current()
            await Registry.start_link(keys="unique", name="registry")
            await Registry.start_link(keys="duplicate", name="tags")
            await self.start_supervisor()

        self.world.do(start)

    async def start_supervisor(self) -> None:
        self.sup = await DynamicSupervisor.start_link(name="sup", max_restarts=10**9)

    def spec(self, cls: type[Player], child: Child) -> ChildSpec:
        via = Registry.via("registry", child.key, child.restart)
        return cls.child_spec(child.key, child.script, name=via).replace(restart=child.restart)

    def ended(self, child: Child, reason: object) -> None:
        """Change the dict as the end of ``child`` should change the world."""
        child.pid, child.tags = None, []
        again = restarts(child.restart, reason)
        while again and child.plan and child.plan[0] == "raise":
            child.plan.pop(0)
        if again and child.plan and child.plan.pop(0) == "ignore":
            again = False
        if not again:
            del self.children[child.key]

    def living(self, key: str) -> Child | None:
        """The child called ``key``, otherwise another one, so that few steps have no effect."""
        return self.children.get(key) or next(iter(self.children.values()), None)

    @rule(
        key=keys, restart=restart_types, cls=players, how=st.sampled_from(["raise", "ignore", ""])
    )
    def start(self, key: str, restart: str, cls: type[Player], how: str) -> None:
        child = Child(key, restart, script=[how] if how else [])
        spec = self.spec(cls, child)

        answer = self.world.do(lambda: outcome(DynamicSupervisor.start_child("sup", spec)))

        if running := self.children.get(key):
            assert isinstance(answer, AlreadyStartedError)
            assert answer.pid == running.pid
        elif how:
            assert type(answer) is {"raise": StartError, "ignore": IgnoredError}[how]
        else:
            assert isinstance(answer, Pid)
            child.pid = answer
            self.children[key] = child

    @rule(wanted=st.lists(keys, max_size=6), cls=players, restart=restart_types)
    def start_side_by_side(self, wanted: list[str], cls: type[Player], restart: str) -> None:
        made = [Child(key, restart) for key in wanted]

        async def start_all() -> list[Any]:
            starts = [DynamicSupervisor.start_child("sup", self.spec(cls, c)) for c in made]
            return list(await asyncio.gather(*map(outcome, starts)))

        answers = self.world.do(start_all)

        for key in set(wanted):
            mine = [(c, a) for c, a in zip(made, answers, strict=True) if c.key == key]
            new = [(child, answer) for child, answer in mine if isinstance(answer, Pid)]
            assert len(new) == (0 if key in self.children else 1)
            for child, pid in new:
                child.pid = pid
                self.children[key] = child
            refused = [answer for _, answer in mine if not isinstance(answer, Pid)]
            assert all(isinstance(answer, AlreadyStartedError) for answer in refused)
            assert {answer.pid for answer in refused} <= {self.children[key].pid}

    @rule(key=keys, cls=players, restart=restart_types, turns=st.integers(1, 3))
    def start_and_cancel(self, key: str, cls: type[Player], restart: str, turns: int) -> None:
        child = Child(key, restart)
        begun = []

        async def start_child() -> None:
            begun.append(child)
            await outcome(DynamicSupervisor.start_child("sup", self.spec(cls, child)))

        async def start() -> None:
            task = asyncio.create_task(start_child())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.world.do(start)
        if begun:
            self.children.setdefault(key, child)

    @rule(key=keys)
    def crash_in_a_call(self, key: str) -> None:
        answer = self.world.do(lambda: outcome(Player.crash(Registry.via("registry", key))))

        assert isinstance(answer, ExitError)
        if child := self.children.get(key):
            self.ended(child, answer.reason)
        else:
            assert isinstance(answer, NoProcessError)

    @rule(crashing=st.sets(keys))
    def crash_together(self, crashing: set[str]) -> None:
        async def crash() -> None:
            for key in crashing:
                Player.crash_later(Registry.via("registry", key))

        self.world.do(crash)
        for key in crashing & set(self.children):
            self.ended(self.children[key], "crash")

    @rule(key=keys, reason=st.sampled_from(REASONS), itself=st.booleans())
    def stop(self, key: str, reason: object, itself: bool) -> None:
        via = Registry.via("registry", key)
        child = self.children.get(key)
        if child is None:
            answer = self.world.do(lambda: outcome(GenServer.stop(via, reason)))
            assert isinstance(answer, NoProcessError)
            return
        if itself:
            pid = child.pid
            ended = self.world.do(lambda: gone(pid, lambda: Player.finish(via, reason)))
            assert ended == reason
        else:
            assert self.world.do(lambda: outcome(GenServer.stop(via, reason))) is None
        self.ended(child, reason)

    @rule(key=keys, reason=st.sampled_from(["kill", "boom", "shutdown", "normal"]))
    def signal(self, key: str, reason: str) -> None:
        child = self.living(key)
        if child is None:
            return

        async def send() -> None:
            process.exit(child.pid, reason)

        self.world.do(send)
        if reason != "normal":
            self.ended(child, "killed" if reason == "kill" else reason)

    @rule(key=keys, reason=st.sampled_from(["kill", "boom", "terminate"]))
    def end_while_suspended(self, key: str, reason: str) -> None:
        child = self.living(key)
        if child is None:
            return

        async def interrupt() -> Any:
            waiting = asyncio.create_task(outcome(Player.hang(child.pid)))
            await settle()
            if reason == "terminate":
                await DynamicSupervisor.terminate_child("sup", child.pid)
            else:
                process.exit(child.pid, reason)
            return await waiting

        answer = self.world.do(interrupt)
        assert isinstance(answer, ExitError)
        if reason == "terminate":
            assert answer.reason == "shutdown"
            del self.children[child.key]
        else:
            self.ended(child, answer.reason)

    @rule(key=keys)
    def terminate_child(self, key: str) -> None:
        child = self.living(key)
        if child is None:
            return

        answer = self.world.do(lambda: outcome(DynamicSupervisor.terminate_child("sup", child.pid)))

        assert answer is None
        del self.children[child.key]

    @rule(data=st.data())
    def terminate_a_dead_child(self, data: st.DataObject) -> None:
        dead = sorted(self.seen - {child.pid for child in self.children.values()})
        if not dead:
            return
        pid = data.draw(st.sampled_from(dead))

        answer = self.world.do(lambda: outcome(DynamicSupervisor.terminate_child("sup", pid)))

        assert isinstance(answer, NotFoundError)

    @rule(key=keys, how=st.sampled_from(["raise", "ignore"]))
    def prepare_the_next_start(self, key: str, how: str) -> None:
        if child := self.living(key):
            child.script.append(how)
            child.plan.append(how)

    @rule(key=keys, tag=st.sampled_from("xy"))
    def register_another_name(self, key: str, tag: str) -> None:
        if child := self.living(key):
            self.world.do(lambda: Player.tag(child.pid, tag))
            child.tags.append(tag)

    @rule(how=st.sampled_from(["stop", "kill"]))
    def end_the_supervisor(self, how: str) -> None:
        async def end() -> None:
            if how == "stop":
                await DynamicSupervisor.stop("sup")
            else:
                await gone(self.sup, lambda: process.exit(self.sup, "kill"))
            await settle()
            await self.start_supervisor()

        self.world.do(end)
        self.children.clear()

    @invariant()
    def world_is_as_the_dict_says(self) -> None:
        if hasattr(self, "sup"):
            self.world.do(self.compare)

    async def compare(self) -> None:
        await settle()
        for child in self.children.values():
            pid = Registry.whereis("registry", child.key)
            assert pid is not None
            if child.pid is None:
                assert pid not in self.seen
                child.pid = pid
            assert child.pid == pid
            assert process.is_alive(pid)
            assert Registry.lookup("registry", child.key) == [(pid, child.restart)]
            assert Registry.keys("registry", pid) == [child.key]
            assert await Player.ask(pid) == child.key
        pids = {child.pid for child in self.children.values()}
        self.seen |= pids
        for key in set(KEYS) - set(self.children):
            assert Registry.lookup("registry", key) == []
        assert Registry.count("registry") == len(pids)
        self.compare_tags()
        await self.compare_supervisor(pids)
        for dead in self.seen - pids:
            assert not process.is_alive(dead)
            assert Registry.keys("registry", dead) == []

    def compare_tags(self) -> None:
        expected = Counter(
            (tag, child.pid, child.key) for child in self.children.values() for tag in child.tags
        )
        assert Counter(Registry.select("tags", lambda key, pid, value: True)) == expected
        assert Registry.count("tags") == expected.total()

    async def compare_supervisor(self, pids: set[Pid]) -> None:
        found = await DynamicSupervisor.which_children("sup")
        assert {child.pid for child in found} == pids
        assert {child.status for child in found} <= {"running"}
        size = len(pids)
        assert await DynamicSupervisor.count_children("sup") == Counts(size, size, 0, size)
        registries = {process.whereis("registry"), process.whereis("tags")}
        assert set(process.processes()) == {self.me, self.sup, *registries, *pids}

    def teardown(self) -> None:
        self.world.close()


class SimulatedLife(Life):
    """The same, each time in another order of processes, tasks and timers."""

    simulated = True


TestLife = Life.TestCase
TestSimulatedLife = SimulatedLife.TestCase
TestLife.settings = TestSimulatedLife.settings = budget()
