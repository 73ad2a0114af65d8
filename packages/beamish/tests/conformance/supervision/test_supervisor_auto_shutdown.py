"""Supervisors that end when their significant children have ended.

OTP Design Principles, "Supervisor Behaviour", "Automatic shutdown" (OTP 24 and later); every
case here was also run on OTP 25.
"""

import pytest

from beamish import Exit, GenServer, Pid, Supervisor, process

from .support import (
    Scripted,
    Stopped,
    Worker,
    children,
    crash,
    expect,
    mailbox,
    pids,
    specs,
    started,
)


async def start(auto_shutdown: str, worker: type[Worker] = Worker) -> Pid:
    """a: transient and significant, b: permanent, c: temporary and significant."""
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(
        [
            *specs("a", worker, restart="transient", significant=True),
            *specs("b", worker),
            *specs("c", worker, restart="temporary", significant=True),
        ],
        auto_shutdown=auto_shutdown,
    )
    await mailbox()
    return sup


async def test_any_significant_childs_end_stops_the_supervisor(worker: type[Worker]) -> None:
    sup = await start("any_significant", worker)
    [a] = await pids(sup, "a")

    await GenServer.stop(a)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    assert [event.tag for event in await mailbox() if isinstance(event, Stopped)] == ["a", "c", "b"]


async def test_significant_temporary_childs_crash_stops_the_supervisor() -> None:
    sup = await start("any_significant")
    [c] = await pids(sup, "c")

    Worker.crash_later(c)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_significant_transient_childs_crash_restarts_it() -> None:
    """Only a child that is not restarted counts as ended."""
    sup = await start("any_significant")
    [a] = await pids(sup, "a")

    await crash(a)

    new = await started("a")
    assert await pids(sup, "a") == [new]


async def test_other_childs_end_stops_nothing() -> None:
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(
        [
            *specs("a", restart="transient", significant=True),
            *specs("b", restart="transient"),
        ],
        auto_shutdown="any_significant",
    )
    [b] = await pids(sup, "b")

    await GenServer.stop(b)

    assert await pids(sup, "b") == [None]


async def test_all_significant_children_must_end_for_all_significant() -> None:
    sup = await start("all_significant")
    a, c = await pids(sup, "a", "c")

    await crash(c)
    assert set(await children(sup)) == {"a", "b"}

    await GenServer.stop(a)
    assert (await expect(Exit, pid=sup)).reason == "shutdown"


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
async def test_terminate_child_never_stops_the_supervisor(auto_shutdown: str) -> None:
    """Only ends of the children's own doing count."""
    sup = await start(auto_shutdown)

    await Supervisor.terminate_child(sup, "a")
    await Supervisor.terminate_child(sup, "c")

    assert set(await children(sup)) == {"a", "b"}


async def test_terminated_significant_child_does_not_hold_up_all_significant() -> None:
    sup = await start("all_significant")
    await Supervisor.terminate_child(sup, "c")
    [a] = await pids(sup, "a")

    await GenServer.stop(a)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_siblings_stopped_by_a_group_restart_do_not_count() -> None:
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(
        [*specs("a"), *specs("b", restart="temporary", significant=True)],
        strategy="one_for_all",
        auto_shutdown="any_significant",
    )
    [a] = await pids(sup, "a")

    await crash(a)

    await mailbox()
    assert set(await children(sup)) == {"a"}


async def test_never_keeps_the_supervisor_when_all_children_ended() -> None:
    sup = await Supervisor.start_link(specs("ab", restart="temporary"))

    for pid in await pids(sup, "a", "b"):
        await GenServer.stop(pid)

    assert await children(sup) == {}


async def test_significant_child_needs_automatic_shutdown() -> None:
    """OTP supervisor: ``bad_combination``."""
    significant = specs("a", restart="transient", significant=True)

    with pytest.raises(ValueError, match="significant"):
        await Supervisor.start_link(significant)


async def test_permanent_child_cannot_be_significant() -> None:
    """OTP supervisor: ``bad_combination``."""
    with pytest.raises(ValueError, match="significant"):
        await Supervisor.start_link(specs("a", significant=True), auto_shutdown="any_significant")


@pytest.mark.parametrize(
    ("auto_shutdown", "restart"), [("never", "transient"), ("any_significant", "permanent")]
)
async def test_start_child_refuses_the_same_and_the_supervisor_lives(
    auto_shutdown: str, restart: str
) -> None:
    sup = await Supervisor.start_link([], auto_shutdown=auto_shutdown)

    with pytest.raises(ValueError, match="significant"):
        [spec] = specs("a", restart=restart, significant=True)
        await Supervisor.start_child(sup, spec)

    assert await children(sup) == {}
    assert await mailbox() == []


async def test_parent_restarts_a_supervisor_that_ended_automatically(
    worker: type[Worker],
) -> None:
    """It exits with ``"shutdown"``: permanent ones come back, as after too many restarts."""
    inner = Supervisor.child_spec(
        specs("a", worker, restart="transient", significant=True),
        auto_shutdown="any_significant",
        name="inner",
    )
    await Supervisor.start_link([inner])
    a = await started("a")
    first = process.whereis("inner")

    await GenServer.stop(a)

    await started("a")
    assert process.whereis("inner") not in (None, first)


async def test_ignored_significant_child_does_not_stop_the_supervisor() -> None:
    process.flag(trap_exit=True)
    ignored = Scripted.child_spec("i", None, ["ignore"]).replace(
        id="i", restart="transient", significant=True
    )

    sup = await Supervisor.start_link([ignored], auto_shutdown="any_significant")

    assert (await children(sup))["i"].status == "stopped"
