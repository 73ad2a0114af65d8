"""``intensity="child"``: a child over its limit is given up, its siblings live on."""

import pytest

from beamish import ChildSpec, DynamicSupervisor, Exit, Pid, Registry, process

from .support import (
    CrashError,
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


async def child(sup: Pid, worker: type[Worker] = Worker, tag: str = "a") -> Pid:
    spec = worker.child_spec(tag, process.current())
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started(tag)
    return pid


async def crash_until_given_up(pid: Pid, restarts: int, tag: str = "a") -> Pid:
    """Crash a child once more than it may; the pid it had at last."""
    for _ in range(restarts):
        await crash(pid)
        pid = await started(tag)
    await crash(pid, "the last")
    await settle()
    return pid


async def test_child_over_its_limit_is_given_up(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=2)
    pid = await child(sup, worker)

    await crash_until_given_up(pid, 2)

    assert [event for event in await mailbox() if isinstance(event, Started)] == []
    assert await DynamicSupervisor.which_children(sup) == []
    assert (await DynamicSupervisor.count_children(sup)).specs == 0


async def test_siblings_and_supervisor_live_on(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=1)
    bad = await child(sup, worker, "bad")
    good = [await child(sup, worker, f"good {n}") for n in range(3)]

    await crash_until_given_up(bad, 1, "bad")

    assert await dynamic_pids(sup) == set(good)
    assert process.is_alive(sup)


async def test_restarts_of_children_do_not_add_up(worker: type[Worker]) -> None:
    """Under ``intensity="supervisor"`` the second of these would end the supervisor."""
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=1)
    pids = [await child(sup, worker, tag) for tag in "abcde"]

    for pid, tag in zip(pids, "abcde", strict=True):
        await crash(pid)
        await started(tag)

    assert (await DynamicSupervisor.count_children(sup)).active == 5


async def test_restarts_add_up_under_the_supervisors_intensity() -> None:
    """The default, OTP's rule."""
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(intensity="supervisor", max_restarts=1)
    a, b = [await child(sup, Worker, tag) for tag in "ab"]
    await crash(a)

    Worker.crash_later(b)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"


async def test_restarts_older_than_max_seconds_do_not_count() -> None:
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=1, max_seconds=0.05)
    pid = await child(sup)
    await crash(pid)
    pid = await started("a")

    await seconds(0.1)
    await crash(pid)

    assert process.is_alive(await started("a"))


async def test_on_give_up_gets_spec_last_pid_and_reason() -> None:
    given_up: list[tuple[ChildSpec, Pid, object]] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child", max_restarts=1, on_give_up=lambda *facts: given_up.append(facts)
    )
    spec = Worker.child_spec("a", process.current()).replace(id="mine")
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    last = await crash_until_given_up(pid, 1)

    [(told_spec, told_pid, reason)] = given_up
    assert told_spec == spec
    assert told_pid == last != pid
    assert isinstance(reason, CrashError)
    assert str(reason) == "the last"


async def test_on_give_up_is_not_called_for_other_ends() -> None:
    given_up: list[object] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child", max_restarts=0, on_give_up=lambda *facts: given_up.append(facts)
    )
    spec = Worker.child_spec()

    for restart in ["temporary", "transient"]:
        pid = await DynamicSupervisor.start_child(sup, spec.replace(restart=restart))
        Worker.finish(pid)
    await settle()
    pid = await DynamicSupervisor.start_child(sup, spec)
    await DynamicSupervisor.terminate_child(sup, pid)
    await DynamicSupervisor.start_child(sup, spec)
    await DynamicSupervisor.stop(sup)

    assert given_up == []


async def test_on_give_up_that_raises_hurts_nobody() -> None:
    def broken(spec: ChildSpec, pid: Pid, reason: object) -> None:
        raise CrashError("in on_give_up")

    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=0, on_give_up=broken)
    good = await child(sup, Worker, "good")
    bad = await child(sup, Worker, "bad")

    await crash(bad)
    await settle()

    assert await dynamic_pids(sup) == {good}


async def test_on_give_up_can_start_the_child_again() -> None:
    """The given-up child is gone by then: its name and its place are free."""
    again: list[str] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child",
        max_restarts=0,
        max_children=1,
        on_give_up=lambda spec, pid, reason: again.append(process.whereis("child")),
    )
    spec = Worker.child_spec("a", process.current(), name="child")
    pid = await DynamicSupervisor.start_child(sup, spec)

    await crash(pid)
    await settle()

    assert again == [None]
    assert process.is_alive(await DynamicSupervisor.start_child(sup, spec))


async def test_killed_child_counts_and_is_given_up() -> None:
    given_up: list[object] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child",
        max_restarts=1,
        on_give_up=lambda spec, pid, reason: given_up.append(reason),
    )
    pid = await child(sup)
    await kill(pid)

    await kill(await started("a"))
    await settle()

    assert given_up == ["killed"]


async def test_failed_restarts_count_towards_the_childs_limit(
    scripted: type[Scripted],
) -> None:
    """A child that cannot start again is given up, and only that child."""
    given_up: list[object] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child",
        max_restarts=3,
        on_give_up=lambda spec, pid, reason: given_up.append(reason),
    )
    good = await child(sup, Worker, "good")
    spec = scripted.child_spec("a", process.current(), ["ok"] + ["raise"] * 100)
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    await crash(pid)

    heard = await mailbox()
    assert len([e for e in heard if isinstance(e, Started)]) == 3
    assert len(given_up) == 1
    assert await dynamic_pids(sup) == {good}


async def test_given_up_childs_name_is_free() -> None:
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=0)
    spec = Worker.child_spec(name=Registry.via("registry", "key"))
    pid = await DynamicSupervisor.start_child(sup, spec)

    await crash(pid)
    await settle()

    assert Registry.lookup("registry", "key") == []
    new = await DynamicSupervisor.start_child(sup, spec)
    assert Registry.whereis("registry", "key") == new


async def test_new_child_of_the_same_spec_begins_with_a_clean_slate() -> None:
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=1)
    await crash_until_given_up(await child(sup), 1)

    pid = await child(sup)
    await crash(pid)

    assert process.is_alive(await started("a"))


@pytest.mark.parametrize("intensity", ["supervisor", "child"])
async def test_no_limit_is_counted_for_temporary_children(intensity: str) -> None:
    sup = await DynamicSupervisor.start_link(intensity=intensity, max_restarts=0)
    spec = Worker.child_spec().replace(restart="temporary")

    for _ in range(10):
        await crash(await DynamicSupervisor.start_child(sup, spec))

    assert process.is_alive(sup)
