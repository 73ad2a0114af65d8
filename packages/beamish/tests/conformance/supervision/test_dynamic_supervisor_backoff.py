"""``backoff``: restarts of a crashing child that wait longer and longer."""

import asyncio

import pytest

from beamish import (
    Backoff,
    ChildInfo,
    Counts,
    DynamicSupervisor,
    Exit,
    GenServer,
    NotFoundError,
    Pid,
    Registry,
    process,
)

from .support import (
    MANY,
    Scripted,
    Started,
    Worker,
    crash,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    seconds,
    settle,
    started,
)

SOON = Backoff(initial=0.01, jitter=0.0)
NEVER = Backoff(initial=3600.0, maximum=3600.0, jitter=0.0)


async def start(backoff: Backoff, worker: type[Worker] = Worker, **options: object) -> Pid:
    """A supervisor called ``sup`` with one child, named ``child``, that has started."""
    await DynamicSupervisor.start_link(name="sup", backoff=backoff, max_restarts=MANY, **options)
    spec = worker.child_spec("a", process.current(), name="child")
    pid = await DynamicSupervisor.start_child("sup", spec)
    await started("a")
    return pid


async def only_child() -> ChildInfo:
    [child] = await DynamicSupervisor.which_children("sup")
    return child


def test_defaults() -> None:
    backoff = Backoff()

    assert (backoff.initial, backoff.factor, backoff.maximum) == (0.1, 2.0, 30.0)
    assert (backoff.jitter, backoff.reset_after) == (0.1, 60.0)


@pytest.mark.parametrize(
    "options",
    [
        {"initial": -0.1},
        {"factor": -1.0},
        {"maximum": -1.0},
        {"jitter": -0.1},
        {"reset_after": -1.0},
        {"initial": "soon"},
    ],
    ids=str,
)
def test_refuses_bad_numbers(options: dict[str, object]) -> None:
    [option] = options

    with pytest.raises((ValueError, TypeError), match=option):
        Backoff(**options)


async def test_crashed_child_comes_back_after_the_delay(worker: type[Worker]) -> None:
    loop = asyncio.get_running_loop()
    old = await start(SOON, worker)

    crashed = loop.time()  # before: the crash may take its time
    await crash(old)

    new = await started("a")
    assert loop.time() - crashed >= 0.009
    assert process.whereis("child") == new
    assert await dynamic_pids("sup") == {new}


async def test_name_is_unregistered_while_the_child_waits() -> None:
    pid = await start(NEVER)

    await crash(pid)

    assert process.whereis("child") is None
    assert not process.is_alive(pid)


async def test_registry_entry_is_gone_while_the_child_waits() -> None:
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link(backoff=NEVER)
    spec = Worker.child_spec(name=Registry.via("registry", "key"))
    pid = await DynamicSupervisor.start_child(sup, spec)

    await crash(pid)

    assert Registry.lookup("registry", "key") == []
    assert Registry.count("registry") == 0


async def test_waiting_child_shows_as_restarting() -> None:
    pid = await start(NEVER)

    await crash(pid)

    child = await only_child()
    assert (child.pid, child.status, child.type) == (None, "restarting", "worker")
    assert await DynamicSupervisor.count_children("sup") == Counts(
        specs=1, active=0, supervisors=0, workers=1
    )


async def test_waiting_child_can_be_terminated_by_its_last_pid() -> None:
    """Contract: a restarting child can be terminated by its last pid; so in Elixir."""
    pid = await start(NEVER)
    await crash(pid)

    await DynamicSupervisor.terminate_child("sup", pid)

    assert await DynamicSupervisor.which_children("sup") == []
    with pytest.raises(NotFoundError):
        await DynamicSupervisor.terminate_child("sup", pid)


async def test_terminated_waiting_child_never_starts() -> None:
    pid = await start(SOON)
    await crash(pid)

    await DynamicSupervisor.terminate_child("sup", pid)
    await seconds(0.05)

    assert [event for event in await mailbox() if isinstance(event, Started)] == []
    assert process.whereis("child") is None


async def test_delay_grows_with_every_crash() -> None:
    loop = asyncio.get_running_loop()
    pid = await start(Backoff(initial=0.01, factor=2.0, jitter=0.0))

    delays = []
    for _ in range(3):
        crashed = loop.time()  # before: the crash may take its time
        await crash(pid)
        pid = await started("a")
        delays.append(loop.time() - crashed)

    assert delays[0] >= 0.009
    assert delays[1] >= 0.018
    assert delays[2] >= 0.036


async def test_delay_is_bounded_by_maximum() -> None:
    """The third delay would be 10,000 s."""
    pid = await start(Backoff(initial=0.01, factor=1000.0, maximum=0.02, jitter=0.0))

    for _ in range(3):
        await crash(pid)
        pid = await started("a")

    assert process.is_alive(pid)


async def test_jitter_changes_the_delay_by_its_share_at_most() -> None:
    loop = asyncio.get_running_loop()
    pid = await start(Backoff(initial=0.04, factor=1.0, jitter=0.5))

    for _ in range(3):
        crashed = loop.time()  # before: the crash may take its time
        await crash(pid)
        pid = await started("a")
        assert loop.time() - crashed >= 0.019


async def test_child_that_lived_long_enough_starts_over_with_the_first_delay() -> None:
    """The second delay would be 10 s otherwise."""
    pid = await start(Backoff(initial=0.01, factor=1000.0, jitter=0.0, reset_after=0.02))
    await crash(pid)
    pid = await started("a")

    await seconds(0.05)
    await crash(pid)

    assert process.is_alive(await started("a"))


async def test_children_wait_each_by_its_own_delay() -> None:
    """One child's history does not slow down another's first restart."""
    me = process.current()
    sup = await DynamicSupervisor.start_link(
        backoff=Backoff(initial=0.01, factor=1_000_000.0, maximum=3600.0, jitter=0.0),
        max_restarts=MANY,
    )
    bad = await DynamicSupervisor.start_child(sup, Worker.child_spec("bad", me))
    good = await DynamicSupervisor.start_child(sup, Worker.child_spec("good", me))
    await mailbox()
    await crash(bad)
    await crash(await started("bad"))

    await crash(good)

    assert process.is_alive(await started("good"))


async def test_failed_restart_waits_again(scripted: type[Scripted]) -> None:
    loop = asyncio.get_running_loop()
    sup = await DynamicSupervisor.start_link(
        backoff=Backoff(initial=0.01, factor=2.0, jitter=0.0), max_restarts=MANY
    )
    spec = scripted.child_spec("a", process.current(), ["ok", "raise", "raise", "ok"])
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    crashed = loop.time()  # before: the crash may take its time
    await crash(pid)
    for _ in range(3):
        await started("a")

    assert loop.time() - crashed >= 0.06
    assert [c.status for c in await DynamicSupervisor.which_children(sup)] == ["running"]


async def test_delayed_restarts_count_towards_the_limit() -> None:
    """``intensity="supervisor"`` is OTP's rule, with or without a delay."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(backoff=SOON, max_restarts=1)
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec("a", process.current()))
    await started("a")
    await crash(pid)
    pid = await started("a")

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_permanent_childs_normal_end_is_restarted_too() -> None:
    pid = await start(SOON)

    await GenServer.stop(pid)

    assert process.is_alive(await started("a"))


async def test_normal_exit_of_a_transient_child_does_not_restart_it() -> None:
    sup = await DynamicSupervisor.start_link(backoff=SOON)
    spec = Worker.child_spec().replace(restart="transient")

    await GenServer.stop(await DynamicSupervisor.start_child(sup, spec))

    assert await DynamicSupervisor.which_children(sup) == []


async def test_stop_does_not_wait_for_waiting_children() -> None:
    pid = await start(NEVER)
    await crash(pid)

    await DynamicSupervisor.stop("sup")

    assert process.whereis("sup") is None


async def test_child_waiting_when_the_supervisor_stops_never_starts() -> None:
    pid = await start(SOON)
    await crash(pid)

    await DynamicSupervisor.stop("sup")
    await seconds(0.05)

    assert [event for event in await mailbox() if isinstance(event, Started)] == []


async def test_child_waiting_when_the_supervisor_is_killed_never_starts() -> None:
    process.flag(trap_exit=True)
    pid = await start(SOON)
    await crash(pid)

    await kill(process.whereis("sup"))
    await seconds(0.05)

    assert [event for event in await mailbox() if isinstance(event, Started)] == []


async def test_name_may_be_taken_by_another_meanwhile() -> None:
    """The restart then fails and waits again: it does not disturb the new owner."""
    pid = await start(Backoff(initial=0.01, factor=1.0, jitter=0.0))
    await crash(pid)
    other = await Worker.start("other", name="child")

    await seconds(0.05)
    assert process.whereis("child") == other
    assert (await only_child()).status == "restarting"

    await GenServer.stop(other)
    new = await started("a")
    assert process.whereis("child") == new


async def test_start_child_meanwhile_starts_a_second_child() -> None:
    """A free name is free: who starts it while the first waits gets it."""
    pid = await start(NEVER)
    await crash(pid)

    second = await DynamicSupervisor.start_child("sup", Worker.child_spec("b", name="child"))

    assert process.whereis("child") == second
    statuses = {c.status for c in await DynamicSupervisor.which_children("sup")}
    assert statuses == {"restarting", "running"}


async def test_waiting_child_of_the_child_intensity_is_given_up_all_the_same() -> None:
    given_up = []
    sup = await DynamicSupervisor.start_link(
        backoff=SOON,
        intensity="child",
        max_restarts=1,
        on_give_up=lambda spec, pid, reason: given_up.append(pid),
    )
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec("a", process.current()))
    await started("a")
    await crash(pid)
    pid = await started("a")

    await crash(pid)
    await settle()

    assert given_up == [pid]
    assert await DynamicSupervisor.which_children(sup) == []
