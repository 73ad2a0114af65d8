"""Failures found in other Python libraries of this kind, so that they stay out of this one.

What must not grow with the number of processes is counted, not timed: lines of the library that
run and memory that is taken, the same with a hundred neighbours as with ten thousand.
"""

import asyncio
import gc
import logging
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from beamish import (
    AlreadyStartedError,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Pid,
    Registry,
    Supervisor,
    process,
)

from .support import (
    MANY,
    AsyncWorker,
    Scripted,
    Started,
    Worker,
    crash,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    pids,
    settle,
    specs,
    started,
)

FEW, LOTS = 100, 3_000
SPARE = 64  # lines that may differ: a table that grows, a batch that ends
SPARE_BYTES = 16_384


async def test_one_failed_restart_does_not_take_down_the_dynamic_supervisor() -> None:
    """Seen elsewhere: an exception from the restarted child's start ends the supervisor."""
    sup = await DynamicSupervisor.start_link()
    good = await DynamicSupervisor.start_child(sup, Worker.child_spec("good"))
    bad = await DynamicSupervisor.start_child(
        sup, Scripted.child_spec("bad", None, ["ok", "raise", "ok"])
    )

    await crash(bad)
    await settle()

    assert process.is_alive(sup)
    assert await Worker.ping(good) == "good"
    assert (await DynamicSupervisor.count_children(sup)).active == 2


@pytest.mark.parametrize("supervisor", [Supervisor, DynamicSupervisor])
async def test_killed_children_are_restarted(supervisor: Any) -> None:
    """Seen elsewhere: a child that is cancelled or killed is taken for a normal end."""
    spec = Worker.child_spec("a", process.current())
    sup = await (
        Supervisor.start_link([spec]) if supervisor is Supervisor else supervisor.start_link()
    )
    if supervisor is DynamicSupervisor:
        await DynamicSupervisor.start_child(sup, spec)

    await kill(await started("a"))

    assert process.is_alive(await started("a"))


@pytest.mark.parametrize("reason", ["kill", "boom", "shutdown"])
async def test_crashing_temporary_child_does_not_take_its_siblings_down(reason: str) -> None:
    """Seen elsewhere: the group of tasks is cancelled by the first failure in it."""
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    spec = Worker.child_spec().replace(restart="temporary")
    one, two, three = [await DynamicSupervisor.start_child(sup, spec) for _ in range(3)]

    process.exit(two, reason)
    await settle()

    assert await dynamic_pids(sup) == {one, three}
    assert [await Worker.ping(pid) for pid in (one, three)] == ["worker", "worker"]


@pytest.mark.parametrize(
    "error",
    [ExceptionGroup("several", [ValueError("inside")]), asyncio.CancelledError("of a task inside")],
    ids=["group", "cancelled"],
)
async def test_odd_exception_in_a_child_is_a_crash_of_that_child(error: BaseException) -> None:
    """Seen elsewhere: it goes through the supervisor, or is taken for the child's own
    cancellation, and the child is not restarted."""

    class Odd(AsyncWorker):
        async def handle_cast(self, request: object) -> None:
            raise error

    sup = await DynamicSupervisor.start_link()
    good = await DynamicSupervisor.start_child(sup, Worker.child_spec("good"))
    odd = await DynamicSupervisor.start_child(sup, Odd.child_spec("odd", process.current()))
    await started("odd")

    GenServer.cast(odd, "go")

    new = await started("odd")
    assert await dynamic_pids(sup) == {good, new}


@pytest.mark.parametrize("supervisor", ["static", "dynamic"])
async def test_restarts_have_a_limit(supervisor: str) -> None:
    """Seen elsewhere: a child that crashes in its start is restarted thousands of times a
    second, without end."""
    process.flag(trap_exit=True)
    spec = Scripted.child_spec("a", process.current(), ["ok"] + ["raise"] * 10_000)
    if supervisor == "static":
        sup = await Supervisor.start_link([spec])
    else:
        sup = await DynamicSupervisor.start_link()
        await DynamicSupervisor.start_child(sup, spec)

    with pytest.raises(ExitError):
        await Worker.crash(await started("a"))
    await settle()

    assert len([e for e in await mailbox() if isinstance(e, Started)]) <= 3
    assert not process.is_alive(sup)


async def test_name_of_a_crashed_child_is_never_lost() -> None:
    """Seen elsewhere: the restarted child runs without the name its predecessor had."""
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link(max_restarts=MANY)
    spec = Worker.child_spec(name=Registry.via("registry", "key"))
    await DynamicSupervisor.start_child(sup, spec)

    for _ in range(50):
        await crash(Registry.whereis("registry", "key"))

    assert await dynamic_pids(sup) == {Registry.whereis("registry", "key")}


async def test_late_clean_up_of_a_dead_owner_does_not_remove_its_successor() -> None:
    """Seen elsewhere: the clean-up of the old process, by name, unregisters the new one."""
    await Registry.start_link(keys="unique", name="registry")

    for _ in range(50):
        old = await Worker.start(name=Registry.via("registry", "key"))
        process.exit(old, "kill")
        await settle()
        new = await Worker.start(name=Registry.via("registry", "key"))
        await settle()
        assert Registry.whereis("registry", "key") == new
        await GenServer.stop(new)


Step = Callable[[], Awaitable[object]]


async def lines_run(step: Step) -> int:
    """How many lines of the library ``step`` runs."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith("beamish"):
            return None
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        await step()
        await settle()
    finally:
        sys.settrace(previous)
    return count


async def bytes_taken(step: Step) -> int:
    """How much memory ``step`` takes at its peak."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        await step()
        await settle()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


async def cost(step: Step) -> tuple[int, int]:
    """Lines and bytes of ``step`` at their least in three runs: tables grow now and then."""
    return (
        min([await lines_run(step) for _ in range(3)]),
        min([await bytes_taken(step) for _ in range(3)]),
    )


async def grow(size: int, registered: int) -> None:
    """Add supervised, registered children until there are ``size``."""
    for number in range(registered, size):
        await DynamicSupervisor.start_child(
            "sup", Worker.child_spec(number, name=Registry.via("registry", number))
        )


async def assert_flat(step: Step) -> None:
    """Check that ``step`` costs the same among few and among many processes."""
    await Registry.start_link(keys="unique", name="registry")
    await DynamicSupervisor.start_link(name="sup", max_restarts=MANY, max_seconds=3600.0)
    await grow(FEW, 0)
    await step()
    lines_few, bytes_few = await cost(step)

    await grow(LOTS, FEW)
    lines_lots, bytes_lots = await cost(step)

    assert lines_lots <= lines_few + SPARE
    assert bytes_lots <= bytes_few + SPARE_BYTES


async def look_up() -> None:
    assert Registry.whereis("registry", 50) is not None
    assert len(Registry.lookup("registry", 50)) == 1
    assert Registry.count("registry") >= FEW
    assert Registry.keys("registry", Registry.whereis("registry", 50)) == [50]


async def ask_by_name() -> None:
    assert await Worker.ping(Registry.via("registry", 50)) == 50


async def start_and_terminate() -> None:
    spec = Worker.child_spec(name=Registry.via("registry", "extra"))
    pid = await DynamicSupervisor.start_child("sup", spec)
    await DynamicSupervisor.terminate_child("sup", pid)


async def start_and_end() -> None:
    spec = Worker.child_spec(name=Registry.via("registry", "extra")).replace(restart="transient")
    await GenServer.stop(await DynamicSupervisor.start_child("sup", spec))


async def crash_and_restart() -> None:
    await crash(Registry.whereis("registry", 50))
    assert Registry.whereis("registry", 50) is not None


async def kill_and_restart() -> None:
    await kill(Registry.whereis("registry", 50))
    assert Registry.whereis("registry", 50) is not None


async def refuse_a_taken_name() -> None:
    spec = Worker.child_spec(name=Registry.via("registry", 50))
    with pytest.raises(AlreadyStartedError):
        await DynamicSupervisor.start_child("sup", spec)


async def spawn_and_end() -> None:
    async def nothing() -> None:
        pass

    _, ref = process.spawn_monitor(nothing)
    await process.receive(timeout=5, match=lambda m: getattr(m, "ref", None) == ref)


@pytest.mark.parametrize(
    "step",
    [
        look_up,
        ask_by_name,
        start_and_terminate,
        start_and_end,
        crash_and_restart,
        kill_and_restart,
        refuse_a_taken_name,
        spawn_and_end,
    ],
    ids=lambda step: step.__name__,
)
async def test_cost_does_not_grow_with_the_number_of_processes(step: Step) -> None:
    """Seen elsewhere: a scan of all names per call, of all children per death, a copy of the
    children per exit."""
    await assert_flat(step)


async def test_restart_in_a_static_supervisor_does_not_grow_with_its_children() -> None:
    async def lines_among(size: int) -> int:
        sup = await Supervisor.start_link(specs(range(size)), max_restarts=MANY, max_seconds=3600.0)
        await mailbox()

        async def restart() -> None:
            await crash(child)

        counts = []
        for _ in range(3):
            [child] = await pids(sup, 50)
            counts.append(await lines_run(restart))
        await Supervisor.stop(sup)
        return min(counts)

    assert await lines_among(2_000) <= await lines_among(100) + SPARE


async def test_mass_restart_costs_the_same_for_each_child() -> None:
    """OTP's own list of restarts makes the n-th restart cost n steps."""

    async def lines_per_child(size: int) -> float:
        sup = await DynamicSupervisor.start_link(max_restarts=MANY, max_seconds=3600.0)
        found: list[Pid] = [
            await DynamicSupervisor.start_child(sup, Worker.child_spec()) for _ in range(size)
        ]

        async def crash_all() -> None:
            for pid in found:
                process.exit(pid, "boom")
            while await dynamic_pids(sup) & set(found):
                await settle()

        lines = await lines_run(crash_all)
        await DynamicSupervisor.stop(sup)
        return lines / size

    assert await lines_per_child(800) <= 1.2 * await lines_per_child(200)


async def test_memory_of_restarts_does_not_grow_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Seen elsewhere: the times of all restarts are kept."""
    caplog.set_level(logging.CRITICAL, logger="beamish")
    sup = await DynamicSupervisor.start_link(max_restarts=MANY, max_seconds=0.001)
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec("a", process.current()))
    await started("a")

    async def restart_often() -> None:
        nonlocal pid
        for _ in range(1_000):
            process.exit(pid, "boom")
            pid = (await expect(Started, tag="a")).pid

    async def growth() -> int:
        gc.collect()  # uncollected garbage does not count as growth
        before, _ = tracemalloc.get_traced_memory()
        await restart_often()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    await restart_often()
    tracemalloc.start()
    try:
        # A leak shows each time; what a thread beside us allocates does not.
        grown = [await growth() for _ in range(5)]
    finally:
        tracemalloc.stop()

    assert min(grown) <= SPARE_BYTES


async def test_dead_children_leave_nothing_behind() -> None:
    """Seen elsewhere: finished children stay in the supervisor's table."""
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec(name=Registry.via("registry", "key")).replace(restart="temporary")
    before = set(process.processes())

    for _ in range(200):
        await crash(await DynamicSupervisor.start_child(sup, spec))

    assert set(process.processes()) == before
    assert await DynamicSupervisor.which_children(sup) == []
    assert set(process.info(sup).links) == {process.current()}
    assert set(process.info(process.whereis("registry")).links) == {process.current()}
