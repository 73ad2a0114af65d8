"""When a dynamic supervisor restarts a child, and how many restarts it bears."""

import pytest

from beamish import Counts, DynamicSupervisor, Exit, GenServer, Pid, StartError, process

from .support import (
    MANY,
    Scripted,
    Started,
    Stopped,
    Worker,
    crash,
    down,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    seconds,
    settle,
    started,
)

CLEAN = ["normal", "shutdown", ("shutdown", "moved")]
ABNORMAL = ["boom", ("boom", 1), None, 42]
EMPTY = Counts(specs=0, active=0, supervisors=0, workers=0)


async def child(sup: Pid, worker: type[Worker], restart: str, tag: str = "a") -> Pid:
    """Start a child that has told that it started."""
    spec = worker.child_spec(tag, process.current()).replace(restart=restart)
    pid = await DynamicSupervisor.start_child(sup, spec)
    assert await started(tag) == pid
    return pid


@pytest.mark.parametrize("reason", [*CLEAN, *ABNORMAL], ids=repr)
async def test_permanent_child_is_always_restarted(worker: type[Worker], reason: object) -> None:
    """Elixir Supervisor, "Restart values"."""
    sup = await DynamicSupervisor.start_link()
    old = await child(sup, worker, "permanent")

    Worker.finish(old, reason)

    new = await started("a")
    assert new != old
    assert await dynamic_pids(sup) == {new}


@pytest.mark.parametrize("reason", CLEAN, ids=repr)
async def test_transient_child_stays_down_after_expected_exit(
    worker: type[Worker], reason: object
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts"; a dynamic supervisor drops the spec."""
    sup = await DynamicSupervisor.start_link()
    pid = await child(sup, worker, "transient")

    await GenServer.stop(pid, reason)

    assert await DynamicSupervisor.which_children(sup) == []
    assert await DynamicSupervisor.count_children(sup) == EMPTY
    assert [event for event in await mailbox() if isinstance(event, Started)] == []


@pytest.mark.parametrize("reason", ABNORMAL, ids=repr)
async def test_transient_child_is_restarted_after_abnormal_exit(
    worker: type[Worker], reason: object
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts"."""
    sup = await DynamicSupervisor.start_link()
    old = await child(sup, worker, "transient")

    Worker.finish(old, reason)

    new = await started("a")
    assert await dynamic_pids(sup) == {new}


@pytest.mark.parametrize("reason", [*CLEAN, *ABNORMAL], ids=repr)
async def test_temporary_child_is_never_restarted(worker: type[Worker], reason: object) -> None:
    """Elixir Supervisor, "Restart values"."""
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    pid = await child(sup, worker, "temporary")

    await GenServer.stop(pid, reason)

    assert await DynamicSupervisor.which_children(sup) == []
    assert process.is_alive(sup)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_killed_child_is_restarted(worker: type[Worker], restart: str) -> None:
    sup = await DynamicSupervisor.start_link()
    old = await child(sup, worker, restart)

    await kill(old)

    new = await started("a")
    assert await dynamic_pids(sup) == {new}


async def test_killed_temporary_child_is_not_restarted() -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    pid = await child(sup, Worker, "temporary")

    await kill(pid)
    await settle()

    assert await DynamicSupervisor.which_children(sup) == []


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_child_ended_by_a_signal_is_restarted(restart: str) -> None:
    sup = await DynamicSupervisor.start_link()
    old = await child(sup, Worker, restart)

    process.exit(old, "boom")

    new = await started("a")
    assert await dynamic_pids(sup) == {new}


async def test_siblings_do_not_notice_a_restart(worker: type[Worker]) -> None:
    """Elixir ``DynamicSupervisor.start_link/1``: ``:one_for_one`` is the only strategy."""
    sup = await DynamicSupervisor.start_link()
    a = await child(sup, worker, "permanent", "a")
    b = await child(sup, worker, "permanent", "b")

    await crash(a)

    new = await started("a")
    assert await dynamic_pids(sup) == {new, b}
    assert [e for e in await mailbox() if e.tag == "b"] == []


async def test_restarted_child_has_the_same_arguments_and_name(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link()
    spec = worker.child_spec("tag", process.current(), name="named")
    old = await DynamicSupervisor.start_child(sup, spec)
    await started("tag")

    await crash(old)

    new = await started("tag")
    assert process.whereis("named") == new
    assert await worker.ping("named") == "tag"


async def test_restarted_child_is_linked_again() -> None:
    sup = await DynamicSupervisor.start_link()
    old = await child(sup, Worker, "permanent")

    await crash(old)

    new = await started("a")
    assert sup in process.info(new).links
    assert process.info(new).parent == sup
    assert old not in process.info(sup).links


async def test_more_than_max_restarts_stops_all_children_then_the_supervisor(
    worker: type[Worker],
) -> None:
    """Elixir Supervisor, "Exit reasons and restarts": exits with ``"shutdown"``."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=2, max_seconds=60.0)
    a = await child(sup, worker, "permanent", "a")
    await child(sup, worker, "permanent", "b")
    for _ in range(2):
        await crash(a)
        a = await started("a")
    await mailbox()

    Worker.crash_later(a)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    heard = await mailbox()
    assert [e for e in heard if isinstance(e, Started)] == []
    assert Stopped("b", "shutdown") in heard


async def test_three_restarts_in_five_seconds_are_the_default() -> None:
    """Elixir ``DynamicSupervisor.start_link/1``, options."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link()
    pid = await child(sup, Worker, "permanent")
    for _ in range(3):
        await crash(pid)
        pid = await started("a")

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_restarts_older_than_max_seconds_do_not_count() -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=1, max_seconds=0.05)
    pid = await child(sup, Worker, "permanent")
    await crash(pid)
    pid = await started("a")

    await seconds(0.1)
    await crash(pid)

    await started("a")
    assert process.is_alive(sup)


async def test_restart_that_fails_is_tried_again(scripted: type[Scripted]) -> None:
    """Contract: a restart whose ``init`` fails is tried again; so does OTP 25, at once."""
    sup = await DynamicSupervisor.start_link(max_restarts=3)
    script = ["ok", "raise", "raise", "ok"]
    spec = scripted.child_spec("a", process.current(), script)
    old = await DynamicSupervisor.start_child(sup, spec)

    await crash(old)

    heard = await mailbox()
    assert len([e for e in heard if isinstance(e, Started)]) == 4
    [found] = await DynamicSupervisor.which_children(sup)
    assert found.status == "running"
    assert process.is_alive(found.pid)


async def test_failed_restarts_count_towards_the_limit(scripted: type[Scripted]) -> None:
    """Contract: and counts towards the intensity; OTP 25 gives up after three attempts."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=3)
    script = ["ok"] + ["raise"] * 100
    spec = scripted.child_spec("a", process.current(), script)
    old = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    Worker.crash_later(old)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    heard = await mailbox()
    assert len([e for e in heard if isinstance(e, Started)]) == 3


async def test_child_that_ignores_at_restart_is_dropped(scripted: type[Scripted]) -> None:
    """Contract; OTP 25 the same."""
    sup = await DynamicSupervisor.start_link()
    spec = scripted.child_spec("a", process.current(), ["ok", "ignore"])
    old = await DynamicSupervisor.start_child(sup, spec)

    await crash(old)
    await mailbox()

    assert await DynamicSupervisor.which_children(sup) == []
    assert await DynamicSupervisor.count_children(sup) == EMPTY
    assert process.is_alive(sup)


async def test_failing_start_child_does_not_count_towards_the_limit() -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=0)

    for _ in range(5):
        with pytest.raises(StartError):
            await DynamicSupervisor.start_child(sup, Scripted.child_spec("a", None, ["raise"]))

    assert process.is_alive(sup)


async def test_no_restart_is_allowed_when_max_restarts_is_zero() -> None:
    """OTP 25: also a permanent child's normal end is a restart."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    pid = await child(sup, Worker, "permanent")

    await GenServer.stop(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_supervisor_that_gave_up_answers_nobody() -> None:
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=0, name="sup")
    ref = process.monitor(sup)

    Worker.crash_later(await child(sup, Worker, "permanent"))

    assert await down(ref) == "shutdown"
    assert process.whereis("sup") is None


async def test_many_restarts_are_possible_when_allowed(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=MANY)
    pid = await child(sup, worker, "transient")

    for _ in range(200):
        await crash(pid)
        new = await started("a")
        assert new != pid
        pid = new

    assert await dynamic_pids(sup) == {pid}
