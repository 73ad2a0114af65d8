"""When a child is restarted, and how many restarts a supervisor bears."""

import pytest

from beamish import Exit, GenServer, Pid, Supervisor, process

from .support import (
    MANY,
    AsyncWorker,
    Scripted,
    Started,
    Stopped,
    Worker,
    children,
    crash,
    down,
    expect,
    kill,
    mailbox,
    pids,
    seconds,
    specs,
    started,
    until,
)

CLEAN = ["normal", "shutdown", ("shutdown", "moved")]
ABNORMAL = ["boom", ("boom", 1), None, 42]


async def start_one(worker: type[Worker], restart: str, **options: object) -> tuple[Pid, Pid]:
    """A supervisor and its child ``a``, which has told that it started."""
    sup = await Supervisor.start_link(specs("a", worker, restart=restart), **options)
    return sup, await started("a")


@pytest.mark.parametrize("reason", [*CLEAN, *ABNORMAL], ids=repr)
async def test_permanent_child_is_always_restarted(worker: type[Worker], reason: object) -> None:
    """Elixir Supervisor, "Restart values"."""
    sup, old = await start_one(worker, "permanent")

    Worker.finish(old, reason)

    new = await started("a")
    assert new != old
    assert await pids(sup, "a") == [new]


@pytest.mark.parametrize("reason", CLEAN, ids=repr)
async def test_transient_child_stays_down_after_expected_exit(
    worker: type[Worker], reason: object
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts"; a static supervisor keeps the spec."""
    sup, pid = await start_one(worker, "transient")

    await GenServer.stop(pid, reason)

    child = (await children(sup))["a"]
    assert (child.pid, child.status) == (None, "stopped")
    assert [event for event in await mailbox() if isinstance(event, Started)] == []


@pytest.mark.parametrize("reason", ABNORMAL, ids=repr)
async def test_transient_child_is_restarted_after_abnormal_exit(
    worker: type[Worker], reason: object
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts"."""
    sup, old = await start_one(worker, "transient")

    Worker.finish(old, reason)

    new = await started("a")
    assert await pids(sup, "a") == [new]


@pytest.mark.parametrize("reason", [*CLEAN, *ABNORMAL], ids=repr)
async def test_temporary_child_is_never_restarted(worker: type[Worker], reason: object) -> None:
    """Elixir Supervisor, "Restart values"; its spec goes with it."""
    sup, pid = await start_one(worker, "temporary")

    await GenServer.stop(pid, reason)

    assert await children(sup) == {}
    assert [event for event in await mailbox() if isinstance(event, Started)] == []


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_child_that_raises_is_restarted(worker: type[Worker], restart: str) -> None:
    sup, old = await start_one(worker, restart)

    await crash(old)

    new = await started("a")
    assert await pids(sup, "a") == [new]


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_child_ended_by_an_exit_signal_is_restarted(restart: str) -> None:
    sup, old = await start_one(Worker, restart)

    process.exit(old, "boom")

    new = await started("a")
    assert await pids(sup, "a") == [new]


async def test_transient_child_ended_by_a_clean_exit_signal_stays_down() -> None:
    sup, pid = await start_one(Worker, "transient")
    ref = process.monitor(pid)

    process.exit(pid, "shutdown")
    await down(ref)

    assert await pids(sup, "a") == [None]


async def test_restarted_child_has_the_same_arguments_and_name(worker: type[Worker]) -> None:
    me = process.current()
    sup = await Supervisor.start_link([worker.child_spec("tag", me, name="named")])
    old = await started("tag")

    await crash(old)

    new = await started("tag")
    assert process.whereis("named") == new
    assert await worker.ping("named") == "tag"
    assert (await children(sup))["named"].pid == new


async def test_more_than_max_restarts_stops_all_in_reverse_and_exits_with_shutdown(
    worker: type[Worker],
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts": exits with ``"shutdown"``."""
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(specs("abc", worker), max_restarts=2, max_seconds=60.0)
    await mailbox()
    for _ in range(2):
        await crash((await pids(sup, "b"))[0])
        await started("b")
    await mailbox()
    [b] = await pids(sup, "b")

    Worker.crash_later(b)

    gone = await expect(Exit, pid=sup)
    assert gone.reason == "shutdown"
    heard = [event for event in await mailbox() if isinstance(event, Stopped | Started)]
    assert [(type(event), event.tag) for event in heard] == [
        (Stopped, "b"),
        (Stopped, "c"),
        (Stopped, "a"),
    ]
    assert [event.reason for event in heard[1:]] == ["shutdown", "shutdown"]


async def test_no_restart_is_allowed_when_max_restarts_is_zero() -> None:
    """OTP supervisor: also a permanent child's normal end is a restart."""
    process.flag(trap_exit=True)
    sup, pid = await start_one(Worker, "permanent", max_restarts=0)

    await GenServer.stop(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_three_restarts_in_five_seconds_are_the_default() -> None:
    """Elixir ``Supervisor.start_link/2``, options."""
    process.flag(trap_exit=True)
    sup, pid = await start_one(Worker, "permanent")
    for _ in range(3):
        await crash(pid)
        pid = await started("a")

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_restarts_of_all_children_count_together() -> None:
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(specs("abc"), max_restarts=2)
    for tag in "ab":
        await crash((await pids(sup, tag))[0])

    Worker.crash_later((await pids(sup, "c"))[0])

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_restarts_older_than_max_seconds_do_not_count() -> None:
    sup, pid = await start_one(Worker, "permanent", max_restarts=1, max_seconds=0.05)
    await crash(pid)
    pid = await started("a")

    await seconds(0.1)
    await crash(pid)

    new = await started("a")
    assert await pids(sup, "a") == [new]


@pytest.mark.parametrize("restart", ["temporary", "transient"])
async def test_ends_that_restart_nothing_do_not_count(restart: str) -> None:
    sup = await Supervisor.start_link([], max_restarts=0)

    for tag in range(5):
        pid = await Supervisor.start_child(sup, specs([tag], restart=restart)[0])
        await GenServer.stop(pid)

    assert process.is_alive(sup)


async def test_group_restart_counts_once() -> None:
    """OTP supervisor: one restart for the whole group, however many children it has."""
    sup = await Supervisor.start_link(
        specs("abcdef"), strategy="one_for_all", max_restarts=1, max_seconds=60.0
    )
    [a] = await pids(sup, "a")

    await crash(a)

    await mailbox()
    assert process.is_alive(sup)


async def test_restart_that_fails_is_tried_again(scripted: type[Scripted]) -> None:
    """OTP supervisor: a child that cannot start again is tried until the limit is reached."""
    script = ["ok", "raise", "raise", "ok"]
    sup = await Supervisor.start_link([scripted.child_spec("a", process.current(), script)])
    old = await started("a")

    await crash(old)

    await until(lambda: script == [])
    assert len([e for e in await mailbox() if isinstance(e, Started)]) == 3
    assert [child.status for child in (await children(sup)).values()] == ["running"]


async def test_failed_restarts_count_towards_the_limit(scripted: type[Scripted]) -> None:
    """OTP 25 tries three times with ``max_restarts=3``, then gives up."""
    process.flag(trap_exit=True)
    script = ["ok"] + ["raise"] * 100
    spec = scripted.child_spec("a", process.current(), script)
    sup = await Supervisor.start_link([*specs("z"), spec], max_restarts=3)
    old = await started("a")

    Worker.crash_later(old)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    heard = await mailbox()
    assert len([e for e in heard if isinstance(e, Started) and e.tag == "a"]) == 3
    assert Stopped("z", "shutdown") in heard


async def test_ignore_at_restart_keeps_the_spec_without_a_process(
    scripted: type[Scripted],
) -> None:
    """OTP supervisor: as at the first start."""
    spec = scripted.child_spec("a", process.current(), ["ok", "ignore"]).replace(id="a")
    sup = await Supervisor.start_link([spec])
    old = await started("a")

    await crash(old)

    await started("a")
    await mailbox()
    assert (await children(sup))["a"].status == "stopped"
    pid = await Supervisor.restart_child(sup, "a")
    assert await pids(sup, "a") == [pid]


async def test_many_restarts_are_possible_when_allowed(worker: type[Worker]) -> None:
    _, pid = await start_one(worker, "permanent", max_restarts=MANY)

    for _ in range(200):
        await crash(pid)
        new = await started("a")
        assert new != pid
        pid = new


async def test_killed_child_is_restarted_again_and_again() -> None:
    _, pid = await start_one(Worker, "permanent", max_restarts=MANY)

    for _ in range(50):
        await kill(pid)
        pid = await started("a")


async def test_endless_failing_restarts_leave_the_event_loop_and_the_supervisor_free() -> None:
    """OTP supervisor: a failed restart is tried again in turn with its other messages."""
    script = ["ok"] + ["raise"] * 100_000
    spec = Scripted.child_spec("a", None, script).replace(id="a")
    sup = await Supervisor.start_link([spec], max_restarts=MANY)
    process.exit((await pids(sup, "a"))[0], "boom")
    await until(lambda: len(script) < 99_990)

    late = await Supervisor.start_child(sup, specs(["late"])[0])
    assert await Worker.ping(late) == "late"
    await Supervisor.terminate_child(sup, "a")

    left = len(script)
    assert left > 0
    await mailbox()
    assert len(script) == left
    assert await pids(sup, "a", "late") == [None, late]


async def test_supervisor_with_endless_failing_restarts_can_be_stopped() -> None:
    script = ["ok"] + ["raise"] * 100_000
    sup = await Supervisor.start_link(
        [Scripted.child_spec("a", None, script).replace(id="a")], max_restarts=MANY
    )
    process.exit((await pids(sup, "a"))[0], "boom")
    await until(lambda: len(script) < 99_990)

    await Supervisor.stop(sup)

    left = len(script)
    assert left > 0
    await mailbox()
    assert len(script) == left


@pytest.mark.parametrize("reason", CLEAN, ids=repr)
async def test_transient_child_that_ends_normally_right_after_its_start_stays_down(
    reason: object,
) -> None:
    """However soon it ends: the reason it gave decides."""

    class ShortLived(AsyncWorker):
        async def init(self) -> None:
            await super().init()
            Worker.finish(self.pid, reason)

    sup = await Supervisor.start_link(specs("a", ShortLived, restart="transient"), max_restarts=0)

    assert len([event for event in await mailbox() if isinstance(event, Started)]) == 1
    assert await pids(sup, "a") == [None]
