"""What happens to a static supervisor's children in the middle of something else."""

import asyncio

import pytest

from beamish import (
    AlreadyStartedError,
    Exit,
    ExitError,
    GenServer,
    Pid,
    StartError,
    Supervisor,
    process,
)

from .support import (
    MANY,
    Busy,
    CrashError,
    Gated,
    Scripted,
    SlowToStop,
    Started,
    Stopped,
    Worker,
    children,
    crash,
    down,
    expect,
    kill,
    mailbox,
    message,
    pids,
    settle,
    specs,
    started,
    stopped,
    until,
)


async def busy_child(sup: Pid) -> tuple[Pid, asyncio.Task[str]]:
    """Start a child and leave it suspended in a call."""
    spec = Busy.child_spec("busy", process.current(), asyncio.Event()).replace(id="busy")
    pid = await Supervisor.start_child(sup, spec)
    work = asyncio.create_task(Busy.work(pid))
    await message("working")
    return pid, work


async def test_shutdown_ends_a_suspended_callback_and_its_callers_wait() -> None:
    """Contract: death is immediate; callers get ``ExitError``, never a timeout."""
    sup = await Supervisor.start_link([])
    _, work = await busy_child(sup)

    await Supervisor.terminate_child(sup, "busy")

    with pytest.raises(ExitError) as caught:
        await work
    assert caught.value.reason == "shutdown"


async def test_killed_suspended_child_is_restarted_and_its_callers_told() -> None:
    sup = await Supervisor.start_link([])
    pid, work = await busy_child(sup)
    await mailbox()

    process.exit(pid, "kill")

    with pytest.raises(ExitError) as caught:
        await work
    assert caught.value.reason == "killed"
    assert await started("busy") != pid


async def test_supervisors_stop_ends_suspended_children() -> None:
    sup = await Supervisor.start_link([])
    pid, work = await busy_child(sup)

    await Supervisor.stop(sup)

    assert not process.is_alive(pid)
    with pytest.raises(ExitError):
        await work


async def test_all_callers_of_a_crashing_child_are_told() -> None:
    sup = await Supervisor.start_link([], max_restarts=MANY)
    pid, first = await busy_child(sup)
    others = [asyncio.create_task(Worker.ping(pid)) for _ in range(10)]
    await settle()

    process.exit(pid, "boom")

    for waiting in [first, *others]:
        with pytest.raises(ExitError) as caught:
            await waiting
        assert caught.value.reason == "boom"


async def test_crash_while_the_supervisor_stops_restarts_nothing() -> None:
    """OTP supervisor: while it terminates its children it restarts none."""
    gate = asyncio.Event()
    slow = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    sup = await Supervisor.start_link([*specs("a"), slow])
    [a] = await pids(sup, "a")
    await mailbox()
    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("slow")

    process.exit(a, "boom")
    await mailbox()
    gate.set()
    await stop

    assert await mailbox() == []
    assert not process.is_alive(a)


async def test_start_child_while_the_supervisor_stops_starts_nothing() -> None:
    gate = asyncio.Event()
    slow = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    sup = await Supervisor.start_link([slow])
    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("slow")

    late = asyncio.create_task(Supervisor.start_child(sup, Worker.child_spec(name="late")))
    await settle()
    gate.set()
    await stop

    with pytest.raises(ExitError):
        await late
    assert process.whereis("late") is None


async def test_stop_during_a_restart_that_waits_leaves_nothing() -> None:
    gate = asyncio.Event()
    gate.set()
    child = Gated.child_spec("gated", process.current(), gate, name="gated").replace(id="gated")
    sup = await Supervisor.start_link([child])
    old = await started("gated")
    gate.clear()
    process.exit(old, "kill")
    await started("gated")

    ref = process.monitor(sup)
    process.exit(sup, "shutdown")
    gate.set()

    process.flag(trap_exit=True)
    await down(ref)
    assert process.whereis("gated") is None
    await until(lambda: set(process.processes()) == {process.current()})


async def test_kill_during_a_restart_that_waits_leaves_nothing() -> None:
    process.flag(trap_exit=True)
    gate = asyncio.Event()
    gate.set()
    child = Gated.child_spec("gated", process.current(), gate, name="gated")
    sup = await Supervisor.start_link([child])
    old = await started("gated")
    gate.clear()
    process.exit(old, "kill")
    await started("gated")

    process.exit(sup, "kill")

    assert (await expect(Exit, pid=sup)).reason == "killed"
    await until(lambda: process.whereis("gated") is None)
    await until(lambda: set(process.processes()) == {process.current()})


async def test_kill_during_the_first_start_leaves_nothing() -> None:
    gate = asyncio.Event()
    me = process.current()
    tree = [
        Worker.child_spec("a", me),
        Gated.child_spec("gated", me, gate, name="gated"),
    ]
    start = asyncio.create_task(Supervisor.start_link(tree, name="sup"))
    await started("gated")

    process.exit(process.whereis("sup"), "kill")

    with pytest.raises((StartError, ExitError)):
        await start
    await until(lambda: process.whereis("gated") is None)
    await until(lambda: set(process.processes()) == {process.current()})


async def test_cancelled_start_link_leaves_nothing() -> None:
    """Who gives up waiting for a start has no pid to stop it by."""
    gate = asyncio.Event()
    start = asyncio.create_task(
        Supervisor.start_link([Gated.child_spec("gated", process.current(), gate)], name="sup")
    )
    await started("gated")

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    gate.set()

    await until(lambda: process.whereis("sup") is None)


async def test_cancelled_start_child_still_starts_the_child() -> None:
    """Cancellation leaves the server unharmed: the supervisor goes on with what it was asked."""
    gate = asyncio.Event()
    sup = await Supervisor.start_link([])
    spec = Gated.child_spec("gated", process.current(), gate, name="gated").replace(id="gated")
    start = asyncio.create_task(Supervisor.start_child(sup, spec))
    await started("gated")

    start.cancel()
    gate.set()
    await settle()

    child = (await children(sup))["gated"]
    assert (child.pid, child.status) == (process.whereis("gated"), "running")


async def test_name_is_free_for_the_restart_at_once(worker: type[Worker]) -> None:
    """The dead child never holds its name against its successor."""
    named = worker.child_spec("named", process.current(), name="named")
    sup = await Supervisor.start_link([named], max_restarts=MANY)

    for _ in range(20):
        old = process.whereis("named")
        await kill(old)
        await until(lambda old=old: process.whereis("named") not in (None, old))
        await settle()

    assert (await children(sup))["named"].pid == process.whereis("named")


async def test_name_stolen_between_death_and_restart_counts_as_a_failed_restart() -> None:
    """OTP supervisor: ``already_started`` is an error; it tries again, then gives up."""
    process.flag(trap_exit=True)

    class Thief(Worker):
        def terminate(self, reason: object) -> None:
            process.unregister("loot")
            process.register(thief, "loot")

    thief = await Worker.start("thief")
    sup = await Supervisor.start_link([Thief.child_spec(name="loot")], max_restarts=3)

    Worker.crash_later("loot")

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    assert process.whereis("loot") == thief
    await GenServer.stop(thief)


async def test_two_children_that_crash_together_both_come_back(worker: type[Worker]) -> None:
    sup = await Supervisor.start_link(specs("ab", worker))
    before = await pids(sup, "a", "b")
    await mailbox()

    for pid in before:
        worker.crash_later(pid)
    await mailbox()

    after = await pids(sup, "a", "b")
    assert None not in after
    assert not set(before) & set(after)


async def test_terminate_child_beats_the_restart_of_a_crashing_child() -> None:
    """The crash waits in the child's mailbox when the supervisor is asked to stop it."""
    sup = await Supervisor.start_link(specs("a"))
    [a] = await pids(sup, "a")

    Worker.crash_later(a)
    await Supervisor.terminate_child(sup, "a")

    await settle()
    assert await pids(sup, "a") == [None]


async def test_child_may_ask_its_own_supervisor() -> None:
    class Curious(Worker):
        @staticmethod
        async def look(sup: Pid, report: Pid) -> None:
            process.send(report, (await Supervisor.count_children(sup)).active)

        def handle_info(self, sup: object) -> None:
            task = asyncio.create_task(self.look(sup, self.report))
            self.looking = task

    sup = await Supervisor.start_link(specs(["curious"], Curious))
    [pid] = await pids(sup, "curious")

    process.send(pid, sup)

    assert await process.receive(timeout=5, match=lambda m: m == 1) == 1


async def test_two_start_childs_of_one_id_start_one() -> None:
    gate = asyncio.Event()
    sup = await Supervisor.start_link([])
    spec = Gated.child_spec("a", process.current(), gate).replace(id="a")

    starts = [asyncio.create_task(Supervisor.start_child(sup, spec)) for _ in range(3)]
    await settle()
    gate.set()
    outcomes = await asyncio.gather(*starts, return_exceptions=True)

    [pid] = [outcome for outcome in outcomes if isinstance(outcome, Pid)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyStartedError)]
    assert [error.pid for error in refused] == [pid, pid]


async def test_child_that_dies_right_after_its_start_is_restarted() -> None:
    class ShortLived(Worker):
        def init(self) -> None:
            if not lives.pop():
                Worker.crash_later(self.pid)

    lives = [True, False, False]
    sup = await Supervisor.start_link([ShortLived.child_spec("a").replace(id="a")])
    await settle()

    assert lives == []
    assert (await children(sup))["a"].status == "running"


async def test_child_killed_while_the_supervisor_waits_for_its_shutdown() -> None:
    sup = await Supervisor.start_link([])
    slow = SlowToStop.child_spec("slow", process.current(), asyncio.Event()).replace(
        id="slow", shutdown=None
    )
    pid = await Supervisor.start_child(sup, slow)
    terminate = asyncio.create_task(Supervisor.terminate_child(sup, "slow"))
    await stopped("slow")

    process.exit(pid, "kill")

    await terminate
    assert await pids(sup, "slow") == [None]


async def test_failing_restart_of_one_child_leaves_its_siblings_running(
    scripted: type[Scripted],
) -> None:
    script = ["ok", "raise", "raise", "ok"]
    flaky = scripted.child_spec("flaky", process.current(), script).replace(id="flaky")
    sup = await Supervisor.start_link([*specs("a"), flaky])
    [a, old] = await pids(sup, "a", "flaky")

    await crash(old)
    heard = await mailbox()

    assert (await children(sup))["flaky"].status == "running"
    assert await pids(sup, "a") == [a]
    assert [
        e for e in heard if isinstance(e, Stopped) and not isinstance(e.reason, CrashError)
    ] == []
    assert len([e for e in heard if isinstance(e, Started) and e.tag == "flaky"]) == 4
