"""What happens to a dynamic supervisor's children in the middle of something else."""

import asyncio

import pytest

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    ExitError,
    GenServer,
    NotFoundError,
    Pid,
    Registry,
    process,
)

from .support import (
    MANY,
    Busy,
    Gated,
    Scripted,
    SlowToStop,
    Started,
    Worker,
    crash,
    down,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    message,
    settle,
    started,
    stopped,
    until,
)


async def busy_child(sup: Pid) -> tuple[Pid, asyncio.Task[str]]:
    """Start a child and leave it suspended in a call."""
    spec = Busy.child_spec("busy", process.current(), asyncio.Event())
    pid = await DynamicSupervisor.start_child(sup, spec)
    work = asyncio.create_task(Busy.work(pid))
    await message("working")
    return pid, work


async def test_terminate_child_ends_a_suspended_callback_and_its_callers_wait() -> None:
    """Contract: death is immediate; callers get ``ExitError``, never a timeout."""
    sup = await DynamicSupervisor.start_link()
    pid, work = await busy_child(sup)

    await DynamicSupervisor.terminate_child(sup, pid)

    with pytest.raises(ExitError) as caught:
        await work
    assert caught.value.reason == "shutdown"


async def test_killed_suspended_child_is_restarted_and_its_callers_told() -> None:
    sup = await DynamicSupervisor.start_link()
    pid, work = await busy_child(sup)
    await mailbox()

    process.exit(pid, "kill")

    with pytest.raises(ExitError) as caught:
        await work
    assert caught.value.reason == "killed"
    assert await started("busy") != pid


async def test_children_die_with_a_killed_supervisor(worker: type[Worker]) -> None:
    """OTP 25: they are linked, so they end with ``"killed"``; nobody restarts them."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link()
    spec = worker.child_spec("a", process.current())
    refs = [process.monitor(await DynamicSupervisor.start_child(sup, spec)) for _ in range(10)]
    await mailbox()

    process.exit(sup, "kill")

    assert [await down(ref) for ref in refs] == ["killed"] * 10
    assert (await expect(Exit, pid=sup)).reason == "killed"
    assert [event for event in await mailbox() if isinstance(event, Started)] == []
    assert set(process.processes()) == {process.current()}


async def test_names_of_a_killed_supervisors_children_are_free() -> None:
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(name="sup")
    await DynamicSupervisor.start_child(sup, Worker.child_spec(name="child"))

    await kill(sup)
    await until(lambda: process.whereis("child") is None)

    again = await DynamicSupervisor.start_link(name="sup")
    await DynamicSupervisor.start_child(again, Worker.child_spec(name="child"))


async def test_cancelled_start_child_still_starts_the_child() -> None:
    """Cancellation leaves the supervisor unharmed; what it was asked for, it does."""
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = Gated.child_spec("gated", process.current(), gate, name="gated")
    start = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    pid = await started("gated")

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    gate.set()
    await settle()

    assert await dynamic_pids(sup) == {pid}
    assert process.whereis("gated") == pid


async def test_cancelled_start_child_whose_init_fails_leaves_nothing() -> None:
    gate = asyncio.Event()

    class Failing(Gated):
        async def init(self) -> None:
            await self.gate.wait()
            raise OSError("unreachable")

    sup = await DynamicSupervisor.start_link(max_restarts=0)
    spec = Failing.child_spec("failing", process.current(), gate, name="failing")
    start = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    await started("failing")

    start.cancel()
    gate.set()
    await settle()

    assert await DynamicSupervisor.which_children(sup) == []
    assert process.whereis("failing") is None


async def test_death_of_the_process_that_called_start_child_changes_nothing() -> None:
    """The child belongs to the supervisor, not to who asked for it."""
    sup = await DynamicSupervisor.start_link()
    me = process.current()

    async def asker() -> None:
        await DynamicSupervisor.start_child(sup, Worker.child_spec("a", me))

    _, ref = process.spawn_monitor(asker)
    pid = await started("a")
    assert await down(ref) == "normal"

    assert await dynamic_pids(sup) == {pid}


async def test_child_killed_in_its_first_init_is_a_failed_start() -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    spec = Gated.child_spec("gated", process.current(), asyncio.Event(), name="gated")
    start = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    pid = await started("gated")

    process.exit(pid, "kill")

    with pytest.raises(Exception, match="kill"):
        await start
    assert await DynamicSupervisor.which_children(sup) == []
    assert process.is_alive(sup)


async def test_child_killed_in_the_init_of_a_restart_is_started_again() -> None:
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link()
    spec = Gated.child_spec("gated", process.current(), gate)
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("gated")
    gate.clear()
    await kill(pid)

    await kill(await started("gated"))

    again = await started("gated")
    gate.set()
    await settle()
    assert await dynamic_pids(sup) == {again}


async def test_terminate_child_beats_the_restart_of_a_crashing_child() -> None:
    """The crash waits in the child's mailbox when the supervisor is asked to stop it."""
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec())

    Worker.crash_later(pid)
    await DynamicSupervisor.terminate_child(sup, pid)
    await settle()

    assert await DynamicSupervisor.which_children(sup) == []


async def test_crash_while_terminate_child_waits_does_not_restart() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    pid = await DynamicSupervisor.start_child(sup, spec)
    terminate = asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid))
    await stopped("slow")
    await mailbox()

    process.exit(pid, "kill")

    await terminate
    assert await mailbox() == []
    assert await DynamicSupervisor.which_children(sup) == []


async def test_two_terminate_childs_of_one_child_end_both() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    pid = await DynamicSupervisor.start_child(sup, spec)
    both = [asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid)) for _ in range(2)]
    await stopped("slow")

    gate.set()

    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert None in outcomes
    assert all(outcome is None or isinstance(outcome, NotFoundError) for outcome in outcomes)
    assert not process.is_alive(pid)


async def test_terminate_child_of_a_child_in_the_init_of_its_restart() -> None:
    """Contract: a restarting child can be terminated by its last pid."""
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link()
    spec = Gated.child_spec("gated", process.current(), gate, name="gated")
    old = await DynamicSupervisor.start_child(sup, spec)
    await started("gated")
    gate.clear()
    await kill(old)
    await started("gated")

    await DynamicSupervisor.terminate_child(sup, old)
    gate.set()
    await settle()

    assert await DynamicSupervisor.which_children(sup) == []
    assert process.whereis("gated") is None


async def test_many_starts_of_one_name_at_once_start_one(worker: type[Worker]) -> None:
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link()
    spec = worker.child_spec(name=Registry.via("registry", "one"))

    outcomes = await asyncio.gather(
        *(DynamicSupervisor.start_child(sup, spec) for _ in range(20)), return_exceptions=True
    )

    [pid] = [outcome for outcome in outcomes if isinstance(outcome, Pid)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyStartedError)]
    assert [error.pid for error in refused] == [pid] * 19
    assert await dynamic_pids(sup) == {pid}


async def test_name_is_free_as_soon_as_terminate_child_returns(worker: type[Worker]) -> None:
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link()
    spec = worker.child_spec(name=Registry.via("registry", "one"))

    for _ in range(20):
        pid = await DynamicSupervisor.start_child(sup, spec)
        assert Registry.whereis("registry", "one") == pid
        await DynamicSupervisor.terminate_child(sup, pid)
        assert Registry.lookup("registry", "one") == []


async def test_caller_that_dies_while_it_waits_for_a_child_is_forgotten() -> None:
    sup = await DynamicSupervisor.start_link()
    gate = asyncio.Event()
    pid = await DynamicSupervisor.start_child(sup, Busy.child_spec("busy", process.current(), gate))

    async def caller() -> None:
        await Busy.work(pid)

    waiting, ref = process.spawn_monitor(caller)
    await message("working")
    process.exit(waiting, "kill")
    assert await down(ref) == "killed"
    gate.set()
    await settle()

    assert await Worker.ping(pid) == "busy"


async def test_stop_asked_twice_ends_once() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    await DynamicSupervisor.start_child(sup, spec)

    stops = [asyncio.create_task(DynamicSupervisor.stop(sup)) for _ in range(2)]
    await stopped("slow")
    gate.set()

    outcomes = await asyncio.gather(*stops, return_exceptions=True)
    assert None in outcomes
    assert all(outcome is None or isinstance(outcome, ExitError) for outcome in outcomes)
    assert not process.is_alive(sup)


async def test_child_that_fails_to_restart_does_not_hold_up_its_siblings() -> None:
    """It tries again and again; the others are served between the attempts."""
    sup = await DynamicSupervisor.start_link(max_restarts=MANY)
    script = ["ok"] + ["raise"] * 50
    bad = await DynamicSupervisor.start_child(sup, Scripted.child_spec("bad", None, script))
    await crash(bad)

    good = await DynamicSupervisor.start_child(sup, Worker.child_spec())
    assert await Worker.ping(good) == "worker"

    await until(lambda: not script)
    await settle()
    assert (await DynamicSupervisor.count_children(sup)).active == 2


# -- A restart that is cancelled when its start function has already returned


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("linked", [True, False])  # without a link, the supervisor makes it
@pytest.mark.parametrize("ends", ["terminate_child", "stop"])
async def test_child_whose_restart_is_cancelled_does_not_outlive_it(
    turns: int, linked: bool, ends: str
) -> None:
    """The start function runs in a task, and its supervisor hears of its end some turns later."""

    class Idle(GenServer):
        async def terminate(self, reason: object) -> None:
            await asyncio.sleep(0)

    gate = asyncio.Event()
    gate.set()
    pids: list[Pid] = []

    async def start() -> Pid:
        await gate.wait()
        pids.append(await (Idle.start_link() if linked else Idle.start()))
        return pids[-1]

    sup = await DynamicSupervisor.start_link()
    await DynamicSupervisor.start_child(sup, ChildSpec("idle", start))
    gate.clear()
    process.exit(pids[0], "boom")

    gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    if ends == "stop":
        await GenServer.stop(sup)
    else:
        [child] = await DynamicSupervisor.which_children(sup)
        try:
            result = await DynamicSupervisor.terminate_child(sup, child.pid or pids[0])
        except NotFoundError:  # the restart was completed between the two requests
            result = await DynamicSupervisor.terminate_child(sup, pids[-1])
        assert result is None
        alive = [pid for pid in pids if process.is_alive(pid)]
        assert (alive, await DynamicSupervisor.which_children(sup)) == ([], [])

    assert [pid for pid in pids if process.is_alive(pid)] == []
