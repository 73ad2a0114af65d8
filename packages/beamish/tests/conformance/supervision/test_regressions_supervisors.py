"""Defects that supervisors once had, and must not have again."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from beamish import (
    Backoff,
    BeamishError,
    ChildSpec,
    Continue,
    DynamicSupervisor,
    Exit,
    GenServer,
    NotFoundError,
    Pid,
    StartError,
    Supervisor,
    call,
    process,
    telemetry,
)
from beamish._diagnostics import throttle

from .support import (
    PATIENCE,
    CrashError,
    Gated,
    Scripted,
    Worker,
    children,
    expect,
    kill,
    message,
    seconds,
    settle,
    started,
    stopped,
    until,
)

Noise = list[dict[str, Any]]


@pytest.fixture
def noise() -> Noise:
    """Keep what the event loop would have complained of."""
    heard: Noise = []
    return heard


def listen(heard: Noise) -> None:
    """Record the complaints of the running loop."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))


@contextlib.contextmanager
def events(name: str) -> Iterator[list[dict[str, Any]]]:
    """Keep the facts of the telemetry events of this name."""
    seen: list[dict[str, Any]] = []
    event = ("beamish", *name.split("."))
    telemetry.attach("test", event, lambda _event, _measurements, facts: seen.append(facts))
    try:
        yield seen
    finally:
        telemetry.detach("test")


async def supervisor(cls: Any) -> Pid:
    """Start a supervisor of either kind without children."""
    return await (cls.start_link([]) if cls is Supervisor else cls.start_link())


class Job(GenServer):
    """Crashes right after its start: the first time, or each time."""

    def __init__(self, starts: list[Pid], *, always: bool = False) -> None:
        starts.append(self.pid)
        self.crashes = always or len(starts) == 1

    async def init(self) -> Continue:
        await asyncio.sleep(0)
        return Continue("work")

    def handle_continue(self, arg: object) -> None:
        if self.crashes:
            raise CrashError(arg)


@pytest.mark.parametrize(("restart", "starts"), [("permanent", 2), ("temporary", 1)])
async def test_exit_right_after_the_start_is_not_missed(restart: Any, starts: int) -> None:
    pids: list[Pid] = []
    sup = await DynamicSupervisor.start_link(max_children=1)

    await DynamicSupervisor.start_child(sup, Job.child_spec(pids).replace(restart=restart))
    await settle()

    assert len(pids) == starts
    assert (await DynamicSupervisor.count_children(sup)).active == starts - 1


async def gated(sup: Pid, gate: asyncio.Event) -> asyncio.Task[Pid]:
    """Start a child whose ``init`` waits for ``gate``."""
    spec = Gated.child_spec("gated", None, gate, name="gated")
    starting = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    await until(lambda: process.whereis("gated"))
    return starting


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def left_over() -> Pid | None:
    """The child that lives on when all is quiet; it is killed, so that the next test can go."""
    await settle()
    left = process.whereis("gated")
    if left is not None:
        await kill(left)
    return left


async def test_stop_in_the_turn_of_a_start_leaves_no_child() -> None:
    """OTP: what a supervisor has started, it stops."""
    left = []
    for ticks in range(8):
        sup, gate = await DynamicSupervisor.start_link(), asyncio.Event()
        starting = await gated(sup, gate)
        gate.set()
        await turns(ticks)
        await DynamicSupervisor.stop(sup)
        await asyncio.gather(starting, return_exceptions=True)
        left.append(await left_over())

    assert left == [None] * 8


async def test_terminate_child_in_the_turn_of_a_restart_leaves_no_child() -> None:
    left = []
    for ticks in range(8):
        sup, gate = await DynamicSupervisor.start_link(), asyncio.Event()
        gate.set()
        pid = await (await gated(sup, gate))
        gate.clear()
        await kill(pid)
        await until(lambda: process.whereis("gated"))
        await turns(3)
        gate.set()
        await turns(ticks)
        try:
            await DynamicSupervisor.terminate_child(sup, pid)
        except NotFoundError:  # the restart was done, the pid is another
            await DynamicSupervisor.stop(sup)
        left.append(await left_over())
        if process.is_alive(sup):
            await DynamicSupervisor.stop(sup)

    assert left == [None] * 8


async def test_timeout_in_the_init_of_a_supervisor_is_its_own() -> None:
    class Slow(Supervisor):
        async def init(self) -> Any:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()

    with pytest.raises(StartError):
        await Slow.start_link()


async def test_supervisor_whose_init_has_a_timeout_is_restarted() -> None:
    class Sub(Supervisor):
        async def init(self) -> Any:
            async with asyncio.timeout(PATIENCE):
                await asyncio.sleep(0)
            return Supervisor.spec([])

    await Supervisor.start_link([Sub.child_spec(name="sub")])
    first = process.whereis("sub")

    asyncio.get_running_loop().call_soon(process.exit, first, "kill")  # from no task
    await until(lambda: not process.is_alive(first))
    await settle()

    assert process.whereis("sub")


async def test_stop_that_outlasts_the_shutdown_of_many_still_kills_the_last() -> None:
    class Blocking(GenServer, shutdown=0.005):
        def terminate(self, reason: object) -> None:
            time.sleep(0.0002)

    class Hanging(GenServer, shutdown=0.005):
        async def terminate(self, reason: object) -> None:
            await asyncio.Event().wait()

    sup = await DynamicSupervisor.start_link()
    for _ in range(64):
        await DynamicSupervisor.start_child(sup, Blocking.child_spec())
    pid = await DynamicSupervisor.start_child(sup, Hanging.child_spec())

    await asyncio.wait_for(DynamicSupervisor.stop(sup), PATIENCE)

    assert not process.is_alive(pid)


async def test_killed_supervisor_does_not_come_back_for_a_delayed_restart() -> None:
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(backoff=Backoff(initial=0.002, jitter=0.0))
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec("a"))
    await kill(pid)

    with events("process.exit") as exits:
        process.exit(sup, "kill")
        await seconds(0.01)

    assert [facts["pid"] for facts in exits] == [sup]


async def test_killed_supervisor_says_nothing_of_a_restart_under_way(noise: Noise) -> None:
    listen(noise)
    process.flag(trap_exit=True)
    sup, gate = await DynamicSupervisor.start_link(), asyncio.Event()
    gate.set()
    pid = await (await gated(sup, gate))
    gate.clear()
    await kill(pid)
    await until(lambda: process.whereis("gated"))

    await kill(sup)
    await settle()

    assert noise == []
    assert process.whereis("gated") is None


REQUESTS: dict[str, Callable[[Pid], Awaitable[object]]] = {
    "terminate_child": lambda sup: Supervisor.terminate_child(sup, {}),
    "restart_child": lambda sup: Supervisor.restart_child(sup, {}),
    "delete_child": lambda sup: Supervisor.delete_child(sup, {}),
    "start_child": lambda sup: Supervisor.start_child(sup, Worker.child_spec().replace(id=[])),
    "dynamic": lambda sup: DynamicSupervisor.terminate_child(sup, []),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_unhashable_id_is_the_callers_mistake(request_: Any) -> None:
    process.flag(trap_exit=True)
    dynamic = request_ is REQUESTS["dynamic"]
    sup = await supervisor(DynamicSupervisor if dynamic else Supervisor)

    with pytest.raises((TypeError, BeamishError)):
        await request_(sup)

    assert process.is_alive(sup)


@pytest.mark.parametrize("cls", [Supervisor, DynamicSupervisor])
async def test_start_that_cancels_itself_is_a_failed_start(cls: Any) -> None:
    async def start() -> Pid:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    process.flag(trap_exit=True)
    sup = await supervisor(cls)

    with pytest.raises(StartError):
        await cls.start_child(sup, ChildSpec("x", start))

    assert process.is_alive(sup)


async def test_summary_of_a_crash_storm_comes_after_its_last_child_too(
    noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(noise)
    monkeypatch.setattr(throttle, "WINDOW_SECONDS", 0.005)
    process.flag(trap_exit=True)
    starts: list[Pid] = []
    sup = await Supervisor.start_link([Job.child_spec(starts, always=True)])

    await expect(Exit, pid=sup)
    await seconds(0.01)

    assert len(starts) == 4
    assert noise == []


async def test_restarted_children_follow_their_own_last_process() -> None:
    script = ["ok", "raise"]
    specs = [
        Worker.child_spec("a").replace(id="a"),
        Scripted.child_spec("b", None, script).replace(id="b"),
    ]
    sup = await Supervisor.start_link(specs, strategy="rest_for_one")
    before = {name: info.pid for name, info in (await children(sup)).items()}

    with events("supervisor.restart") as restarts:
        await kill(before["a"])
        await settle()

    assert {facts["id"]: facts["pid"] for facts in restarts} == before


async def test_signal_of_another_process_does_not_cut_off_a_shutdown() -> None:
    """Contract: ``terminate`` runs on its parent's exit signal."""

    class Careful(Worker):
        @call
        async def work(self, gate: asyncio.Event) -> None:
            self.tell("working")
            try:
                await asyncio.Event().wait()
            finally:
                self.tell("cleaning")
                await gate.wait()

    async def peer() -> None:
        process.link(pid)
        await asyncio.Event().wait()

    sup, gate = await DynamicSupervisor.start_link(), asyncio.Event()
    spec = Careful.child_spec("careful", process.current())
    pid = await DynamicSupervisor.start_child(sup, spec)
    working = asyncio.create_task(Careful.work(pid, gate))
    await message("working")
    linked = process.spawn(peer)
    await settle()
    stopping = asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid))
    await message("cleaning")

    process.exit(linked, "boom")
    await settle()
    gate.set()

    assert await stopped("careful") == "shutdown"
    await asyncio.gather(stopping, working, return_exceptions=True)


class Nameless:
    """An id that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("it cannot be shown")


@pytest.mark.parametrize("cls", [Supervisor, DynamicSupervisor])
async def test_id_that_cannot_be_shown_does_not_crash_the_supervisor(cls: Any) -> None:
    process.flag(trap_exit=True)
    sup = await supervisor(cls)
    spec = Worker.child_spec("a", process.current()).replace(id=Nameless())
    pid = await cls.start_child(sup, spec)
    await started("a")

    await kill(pid)

    assert process.is_alive(await started("a"))


async def test_module_based_supervisor_may_take_a_spec_as_its_argument() -> None:
    class More(Supervisor):
        def init(self, base: Any) -> Any:
            return Supervisor.spec([*base.children, Worker.child_spec(name="more")])

    sup = await More.start_link(Supervisor.spec([Worker]))

    assert set(await children(sup)) == {Worker, "more"}


@pytest.mark.parametrize("ticks", [1, 20])
async def test_stop_in_the_turn_of_a_foreign_start_is_quiet(noise: Noise, ticks: int) -> None:
    async def start() -> Pid:
        await turns(ticks)
        return await Worker.start_link(name="foreign")

    listen(noise)
    sup = await DynamicSupervisor.start_link()

    await asyncio.gather(
        DynamicSupervisor.start_child(sup, ChildSpec("x", start)),
        DynamicSupervisor.stop(sup),
        return_exceptions=True,
    )
    await settle()
    gc.collect()

    assert noise == []
    assert process.whereis("foreign") is None
