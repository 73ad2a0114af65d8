"""Children that are neither quite up nor quite gone when something else happens to them."""

import asyncio

import pytest

from beamish import DynamicSupervisor, Exit, Pid, Registry, StartError, process

from .support import (
    MANY,
    AsyncWorker,
    CrashError,
    Gated,
    SlowToStop,
    Started,
    Worker,
    crash,
    down,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    settle,
    started,
    stopped,
    until,
)


class Untidy(Gated):
    """Takes a few turns of the event loop to give up its ``init``."""

    async def init(self) -> None:
        try:
            await self.gate.wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)


class Hopeless(Worker):
    """Starts once; every restart fails."""

    def __init__(self, tag: str, report: Pid | None, starts: list[str]) -> None:
        super().__init__(tag, report)
        starts.append(tag)
        if len(starts) > 1:
            raise CrashError("never again")


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "done")], ids=repr)
async def test_transient_child_that_ends_normally_right_after_its_start_stays_down(
    reason: object,
) -> None:
    """However soon it ends: the reason it gave decides."""

    class ShortLived(AsyncWorker):
        async def init(self) -> None:
            await asyncio.sleep(0)
            Worker.finish(self.pid, reason)

    sup = await DynamicSupervisor.start_link(max_restarts=0)
    spec = ShortLived.child_spec("short", process.current()).replace(restart="transient")

    await DynamicSupervisor.start_child(sup, spec)

    heard = await mailbox()
    assert len([event for event in heard if isinstance(event, Started)]) == 1
    assert await DynamicSupervisor.which_children(sup) == []


async def test_permanent_child_that_crashes_right_after_its_start_is_restarted() -> None:
    class ShortLived(AsyncWorker):
        async def init(self) -> None:
            await asyncio.sleep(0)
            if not lives.pop():
                Worker.crash_later(self.pid)

    lives = [True, False, False]
    sup = await DynamicSupervisor.start_link()

    await DynamicSupervisor.start_child(sup, ShortLived.child_spec("short"))
    await settle()

    assert lives == []
    assert (await DynamicSupervisor.count_children(sup)).active == 1


async def test_stop_waits_for_a_child_that_is_being_terminated() -> None:
    """No orphan: the supervisor is gone only when all its children are."""
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    pid = await DynamicSupervisor.start_child(sup, spec)
    terminate = asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid))
    await stopped("slow")

    stop = asyncio.create_task(DynamicSupervisor.stop(sup))
    await settle()
    assert process.is_alive(pid)
    assert not stop.done()

    gate.set()
    await stop
    assert not process.is_alive(pid)
    await asyncio.gather(terminate, return_exceptions=True)


async def test_child_that_is_being_terminated_is_killed_in_time_also_when_all_stop() -> None:
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), asyncio.Event())
    pid = await DynamicSupervisor.start_child(sup, spec.replace(shutdown=0.02))
    ref = process.monitor(pid)
    terminate = asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid))
    await stopped("slow")

    await DynamicSupervisor.stop(sup)

    assert await down(ref) == "killed"
    await asyncio.gather(terminate, return_exceptions=True)


async def test_kill_with_starts_under_way_leaves_nothing() -> None:
    process.flag(trap_exit=True)
    me = process.current()
    sup = await DynamicSupervisor.start_link()
    starts = [
        asyncio.create_task(
            DynamicSupervisor.start_child(
                sup, Gated.child_spec("gated", me, asyncio.Event(), name=f"g{n}")
            )
        )
        for n in range(5)
    ]
    for _ in range(5):
        await started("gated")

    process.exit(sup, "kill")

    assert (await expect(Exit, pid=sup)).reason == "killed"
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    await until(lambda: set(process.processes()) == {me})
    assert [process.whereis(f"g{n}") for n in range(5)] == [None] * 5


async def test_giving_up_with_starts_under_way_leaves_nothing() -> None:
    process.flag(trap_exit=True)
    me = process.current()
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    start = asyncio.create_task(
        DynamicSupervisor.start_child(sup, Untidy.child_spec("untidy", me, asyncio.Event()))
    )
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec())
    await started("untidy")

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    assert set(process.processes()) == {me}
    assert isinstance((await asyncio.gather(start, return_exceptions=True))[0], Exception)


async def test_stop_leaves_no_child_in_an_init_that_is_slow_to_give_up() -> None:
    me = process.current()
    sup = await DynamicSupervisor.start_link()
    start = asyncio.create_task(
        DynamicSupervisor.start_child(sup, Untidy.child_spec("untidy", me, asyncio.Event()))
    )
    await started("untidy")

    await DynamicSupervisor.stop(sup)

    assert set(process.processes()) == {me}
    assert isinstance((await asyncio.gather(start, return_exceptions=True))[0], Exception)


async def test_stop_leaves_no_restart_in_an_init_that_is_slow_to_give_up() -> None:
    me = process.current()
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, Untidy.child_spec("untidy", me, gate))
    await started("untidy")
    gate.clear()
    await kill(pid)
    await started("untidy")

    await DynamicSupervisor.stop(sup)

    assert set(process.processes()) == {me}


@pytest.mark.parametrize("cls", [Gated, Untidy])
async def test_terminated_restart_is_gone_when_terminate_child_returns(cls: type[Gated]) -> None:
    """By the last pid, while the new process is still in its ``init``."""
    me = process.current()
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link()
    old = await DynamicSupervisor.start_child(sup, cls.child_spec("g", me, gate, name="gated"))
    await started("g")
    gate.clear()
    await kill(old)
    new = await started("g")

    await DynamicSupervisor.terminate_child(sup, old)

    assert process.whereis("gated") is None
    assert not process.is_alive(new)


async def test_endless_failing_restarts_leave_the_event_loop_and_the_supervisor_free() -> None:
    """OTP: a failed restart is tried again in turn with the supervisor's other messages."""
    starts: list[str] = []
    sup = await DynamicSupervisor.start_link(max_restarts=MANY)
    spec = Hopeless.child_spec("hopeless", None, starts)
    pid = await DynamicSupervisor.start_child(sup, spec)
    process.exit(pid, "boom")
    await until(lambda: len(starts) > 10)

    good = await DynamicSupervisor.start_child(sup, Worker.child_spec("good"))
    assert await Worker.ping(good) == "good"

    await DynamicSupervisor.terminate_child(sup, pid)
    seen = len(starts)
    await settle()
    assert len(starts) == seen
    assert await dynamic_pids(sup) == {good}


async def test_supervisor_with_endless_failing_restarts_can_be_stopped() -> None:
    starts: list[str] = []
    sup = await DynamicSupervisor.start_link(max_restarts=MANY)
    pid = await DynamicSupervisor.start_child(sup, Hopeless.child_spec("hopeless", None, starts))
    process.exit(pid, "boom")
    await until(lambda: len(starts) > 10)

    await DynamicSupervisor.stop(sup)

    seen = len(starts)
    await settle()
    assert len(starts) == seen


async def test_child_may_start_a_sibling_in_its_async_init() -> None:
    """Starts run side by side, so this cannot deadlock as it does in Elixir."""

    class Parent(Worker):
        async def init(self) -> None:
            await DynamicSupervisor.start_child("sup", Worker.child_spec("sibling"))

    sup = await DynamicSupervisor.start_link(name="sup")

    pid = await DynamicSupervisor.start_child(sup, Parent.child_spec())

    assert pid in await dynamic_pids(sup)
    assert len(await dynamic_pids(sup)) == 2


async def test_child_whose_init_kills_its_supervisor_fails_its_own_start() -> None:
    process.flag(trap_exit=True)

    class Rebel(Worker):
        async def init(self) -> None:
            process.exit(process.whereis("sup"), "kill")
            await asyncio.sleep(0)

    sup = await DynamicSupervisor.start_link(name="sup")

    with pytest.raises(Exception, match="kill"):
        await DynamicSupervisor.start_child(sup, Rebel.child_spec())

    await until(lambda: set(process.processes()) == {process.current()})


async def test_name_of_a_failed_slow_start_is_free_when_its_caller_hears_of_it() -> None:
    class Late(Worker):
        async def init(self) -> None:
            await asyncio.sleep(0)
            raise OSError("unreachable")

    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link()
    spec = Late.child_spec(name=Registry.via("registry", "late"))

    for _ in range(5):
        with pytest.raises(StartError) as caught:
            await DynamicSupervisor.start_child(sup, spec)
        assert isinstance(caught.value.__cause__, OSError)
        assert Registry.lookup("registry", "late") == []


async def test_crash_of_a_child_that_waits_for_its_caller_to_hear_of_its_start() -> None:
    """It is up before the caller goes on; a crash in between is its supervisor's business."""
    sup = await DynamicSupervisor.start_link()
    spec = AsyncWorker.child_spec("a", process.current())
    start = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    pid = await started("a")

    await crash(pid)
    new = await started("a")

    assert await start == pid
    assert await dynamic_pids(sup) == {new}
