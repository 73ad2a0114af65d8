"""Random lives of the children of a static supervisor, with each strategy, against a list."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from beamish import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildSpec,
    Counts,
    GenServer,
    IgnoredError,
    NoProcessError,
    NotFoundError,
    Pid,
    Registry,
    StartError,
    Supervisor,
    process,
)
from beamish.testing import settle

from .support import REASONS, AsyncPlayer, Player, World, budget, outcome, restarts, seeds

IDS = "abcd"
ids = st.sampled_from(IDS)
restart_types = st.sampled_from(["permanent", "transient", "temporary"])
players = st.sampled_from([Player, AsyncPlayer])
starts = st.sampled_from(["ok", "raise", "ignore"])


@dataclass
class Child:
    """What the model knows of a child; a running one's ``pid`` is ``None`` until it is seen."""

    id: str
    restart: str
    cls: type[Player]
    running: bool = True
    pid: Pid | None = None
    script: list[str] = field(default_factory=list)  # shared with the process
    plan: list[str] = field(default_factory=list)  # the model's copy of it

    def spec(self) -> ChildSpec:
        name = Registry.via("registry", self.id)
        spec = self.cls.child_spec(self.id, self.script, name=name)
        return spec.replace(id=self.id, restart=self.restart)

    def next_start(self) -> str:
        """How the next start goes."""
        return self.plan.pop(0) if self.plan else "ok"


class Family(RuleBasedStateMachine):
    """Each rule does one thing to a real supervisor and to the list, then both are compared."""

    strategy: ClassVar[str]
    simulated: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Child] = []
        self.seen: set[Pid] = set()

    @initialize(
        kinds=st.lists(st.tuples(restart_types, players), min_size=4, max_size=4), seed=seeds
    )
    def open(self, kinds: list[tuple[str, type[Player]]], seed: int) -> None:
        self.world = World(seed if self.simulated else None)
        self.children = [Child(i, r, cls) for i, (r, cls) in zip(IDS, kinds, strict=True)]

        async def start() -> None:
            self.me = process.current()
            await Registry.start_link(keys="unique", name="registry")
            self.sup = await Supervisor.start_link(
                [child.spec() for child in self.children],
                strategy=self.strategy,
                max_restarts=10**9,
            )

        self.world.do(start)

    def find(self, child_id: str) -> Child | None:
        return next((child for child in self.children if child.id == child_id), None)

    def ask(self, change: str, *args: object) -> Any:
        return self.world.do(lambda: outcome(getattr(Supervisor, change)(self.sup, *args)))

    def mark(self, child: Child, *, running: bool) -> None:
        """Note a start or a stop; a temporary child that stops is forgotten."""
        child.running, child.pid = running, None
        if not running and child.restart == "temporary":
            self.children.remove(child)

    def ended(self, child: Child, reason: object) -> None:
        """Change the list as the end of ``child`` should change the world."""
        self.mark(child, running=False)
        if restarts(child.restart, reason):
            self.restart_group(child)

    def restart_group(self, failed: Child) -> None:
        """Elixir Supervisor, "Strategies"; what a failing start does was seen on OTP 25."""
        while True:
            if self.strategy == "one_for_one":
                group = [failed]
            elif self.strategy == "one_for_all":
                group = list(self.children)
            else:
                group = self.children[self.children.index(failed) :]
            for child in group:
                self.mark(child, running=False)
            broken = self.start_group([child for child in group if child in self.children])
            if broken is None:
                return
            failed = broken

    def start_group(self, group: list[Child]) -> Child | None:
        """Start in order; the child that could not, if any."""
        for child in group:
            how = child.next_start()
            if how == "raise":
                return child
            self.mark(child, running=how == "ok")
        return None

    @rule(child_id=ids, how=st.sampled_from(["call", "cast", "kill", "boom"]))
    def end_abnormally(self, child_id: str, how: str) -> None:
        child = self.find(child_id)
        via = Registry.via("registry", child_id)

        async def end() -> Any:
            if how == "call":
                return await outcome(Player.crash(via))
            if how == "cast":
                return Player.crash_later(via)
            pid = Registry.whereis("registry", child_id)
            return process.exit(pid, how) if pid else None

        answer = self.world.do(end)
        if child is not None and child.running:
            self.ended(child, "abnormal")
        elif how == "call":
            assert isinstance(answer, NoProcessError)

    @rule(child_id=ids, reason=st.sampled_from(REASONS), itself=st.booleans())
    def stop(self, child_id: str, reason: object, itself: bool) -> None:
        child = self.find(child_id)
        via = Registry.via("registry", child_id)

        async def end() -> Any:
            return (
                Player.finish(via, reason) if itself else await outcome(GenServer.stop(via, reason))
            )

        answer = self.world.do(end)
        if child is not None and child.running:
            assert answer is None
            self.ended(child, reason)
        elif not itself:
            assert isinstance(answer, NoProcessError)

    @rule(child_id=ids)
    def terminate_child(self, child_id: str) -> None:
        child = self.find(child_id)

        answer = self.ask("terminate_child", child_id)

        if child is None:
            assert isinstance(answer, NotFoundError)
        else:
            assert answer is None
            self.mark(child, running=False)

    @rule(child_id=ids)
    def restart_child(self, child_id: str) -> None:
        child = self.find(child_id)

        answer = self.ask("restart_child", child_id)

        if child is None:
            assert isinstance(answer, NotFoundError)
        elif child.running:
            assert isinstance(answer, AlreadyStartedError)
            assert answer.pid == child.pid
        else:
            self.started(child, child.next_start(), answer)

    def started(self, child: Child, how: str, answer: object) -> None:
        """Note how a start went, and check that the answer says the same."""
        expected = {"ok": Pid, "raise": StartError, "ignore": IgnoredError}[how]
        assert type(answer) is expected
        if how == "ok":
            self.mark(child, running=True)
            assert answer not in self.seen

    @rule(child_id=ids)
    def delete_child(self, child_id: str) -> None:
        child = self.find(child_id)

        answer = self.ask("delete_child", child_id)

        if child is None:
            assert isinstance(answer, NotFoundError)
        elif child.running:
            assert isinstance(answer, AlreadyStartedError)
        else:
            assert answer is None
            self.children.remove(child)

    @rule(child_id=ids, restart=restart_types, cls=players, how=starts)
    def start_child(self, child_id: str, restart: str, cls: type[Player], how: str) -> None:
        present = self.find(child_id)
        child = Child(child_id, restart, cls, running=False, script=[how])

        answer = self.ask("start_child", child.spec())

        if present is not None:
            refusal = AlreadyStartedError if present.running else AlreadyPresentError
            assert type(answer) is refusal
            return
        kept = how == "ok" or (how == "ignore" and restart != "temporary")
        if kept:
            self.children.append(child)
        self.started(child, how, answer)

    @rule(child_id=ids, how=st.sampled_from(["raise", "ignore"]))
    def prepare_the_next_start(self, child_id: str, how: str) -> None:
        child = self.find(child_id)
        if child is not None:
            child.script.append(how)
            child.plan.append(how)

    @invariant()
    def world_is_as_the_list_says(self) -> None:
        if self.children or hasattr(self, "sup"):
            self.world.do(self.compare)

    async def compare(self) -> None:
        await settle()
        found = {child.id: child for child in await Supervisor.which_children(self.sup)}
        assert set(found) == {child.id for child in self.children}
        fresh = []
        for child in self.children:
            pid = found[child.id].pid
            assert found[child.id].status == ("running" if child.running else "stopped")
            assert Registry.whereis("registry", child.id) == pid
            if child.running and child.pid is None:
                assert pid not in self.seen
                fresh.append(pid)
                child.pid = pid
            assert child.pid == pid
        assert fresh == sorted(fresh)
        await self.compare_processes({child.pid for child in self.children if child.running})

    async def compare_processes(self, pids: set[Pid]) -> None:
        size = len(self.children)
        self.seen |= pids
        assert all(process.is_alive(pid) for pid in pids)
        assert Registry.count("registry") == len(pids)
        counts = await Supervisor.count_children(self.sup)
        assert counts == Counts(specs=size, active=len(pids), supervisors=0, workers=size)
        registry = process.whereis("registry")
        assert set(process.processes()) == {self.me, self.sup, registry, *pids}

    def teardown(self) -> None:
        self.world.close()


class OneForOne(Family):
    strategy = "one_for_one"


class OneForAll(Family):
    strategy = "one_for_all"


class RestForOne(Family):
    strategy = "rest_for_one"


class SimulatedOneForOne(OneForOne):
    simulated = True


class SimulatedOneForAll(OneForAll):
    simulated = True


class SimulatedRestForOne(RestForOne):
    simulated = True


TestOneForOne = OneForOne.TestCase
TestOneForAll = OneForAll.TestCase
TestRestForOne = RestForOne.TestCase
TestSimulatedOneForOne = SimulatedOneForOne.TestCase
TestSimulatedOneForAll = SimulatedOneForAll.TestCase
TestSimulatedRestForOne = SimulatedRestForOne.TestCase
TestOneForOne.settings = TestOneForAll.settings = TestRestForOne.settings = budget()
TestSimulatedOneForOne.settings = TestSimulatedOneForAll.settings = budget()
TestSimulatedRestForOne.settings = budget()
