"""Masses: a thousand children that crash, stop or start at once, and storms that must end."""

import asyncio

import pytest

from beamish import DynamicSupervisor, Exit, Pid, Registry, Supervisor, process

from .support import (
    MANY,
    AsyncWorker,
    Scripted,
    Started,
    Stopped,
    Worker,
    dynamic_pids,
    expect,
    mailbox,
    specs,
    until,
)

THOUSAND = 1_000


async def start_mass(worker: type[Worker], **options: object) -> tuple[Pid, list[Pid]]:
    """A thousand children, each named by its number in ``registry``."""
    await Registry.start_link(keys="unique", name="registry")
    sup = await DynamicSupervisor.start_link(max_restarts=MANY, **options)
    found = [
        await DynamicSupervisor.start_child(
            sup, worker.child_spec(number, name=Registry.via("registry", number))
        )
        for number in range(THOUSAND)
    ]
    return sup, found


def all_replaced(before: list[Pid]) -> bool:
    """Whether every number is registered by a new, living process."""
    now = [Registry.whereis("registry", number) for number in range(THOUSAND)]
    return all(new is not None and new != old for new, old in zip(now, before, strict=True))


@pytest.mark.parametrize("intensity", ["supervisor", "child"])
async def test_a_thousand_children_crash_at_once_and_all_come_back(
    worker: type[Worker], intensity: str
) -> None:
    sup, before = await start_mass(worker, intensity=intensity)

    for pid in before:
        worker.crash_later(pid)
    await until(lambda: all_replaced(before))
    await mailbox()

    assert Registry.count("registry") == THOUSAND
    assert await dynamic_pids(sup) == {
        Registry.whereis("registry", number) for number in range(THOUSAND)
    }
    assert not any(process.is_alive(pid) for pid in before)


async def test_a_thousand_children_are_killed_at_once_and_all_come_back(
    worker: type[Worker],
) -> None:
    sup, before = await start_mass(worker)

    for pid in before:
        process.exit(pid, "kill")
    await until(lambda: all_replaced(before))
    await mailbox()

    assert (await DynamicSupervisor.count_children(sup)).active == THOUSAND
    assert Registry.count("registry") == THOUSAND


async def test_crash_of_every_second_child_leaves_the_others_alone(worker: type[Worker]) -> None:
    _, before = await start_mass(worker)

    for pid in before[::2]:
        worker.crash_later(pid)
    await until(
        lambda: all(
            Registry.whereis("registry", n) not in (None, before[n]) for n in range(0, THOUSAND, 2)
        )
    )

    assert [Registry.whereis("registry", n) for n in range(1, THOUSAND, 2)] == before[1::2]


async def test_a_thousand_children_stop_with_their_supervisor(worker: type[Worker]) -> None:
    sup, before = await start_mass(worker)

    await DynamicSupervisor.stop(sup)

    assert not any(process.is_alive(pid) for pid in before)
    assert Registry.count("registry") == 0


async def test_a_thousand_children_die_with_a_killed_supervisor(worker: type[Worker]) -> None:
    process.flag(trap_exit=True)
    sup, before = await start_mass(worker)

    process.exit(sup, "kill")
    await expect(Exit, pid=sup)

    await until(lambda: not any(process.is_alive(pid) for pid in before))
    assert Registry.count("registry") == 0


async def test_a_thousand_children_die_with_a_killed_registry_and_come_back() -> None:
    me = process.current()
    top = await Supervisor.start_link(
        [
            Registry.child_spec(keys="unique", name="registry"),
            DynamicSupervisor.child_spec(name="sup", max_restarts=MANY),
        ],
        max_restarts=MANY,
    )
    before = [
        await DynamicSupervisor.start_child(
            "sup", Worker.child_spec(n, name=Registry.via("registry", n))
        )
        for n in range(THOUSAND)
    ]

    process.exit(process.whereis("registry"), "kill")
    await until(lambda: process.whereis("registry"))
    await until(lambda: all_replaced(before))

    assert process.is_alive(top)
    assert set(process.processes()) == {
        me,
        top,
        process.whereis("registry"),
        process.whereis("sup"),
        *(Registry.whereis("registry", n) for n in range(THOUSAND)),
    }


async def test_a_thousand_side_by_side_starts_all_succeed() -> None:
    sup = await DynamicSupervisor.start_link()

    found = await asyncio.gather(
        *(DynamicSupervisor.start_child(sup, AsyncWorker.child_spec()) for _ in range(THOUSAND))
    )

    assert await dynamic_pids(sup) == set(found)
    assert len(set(found)) == THOUSAND


async def test_child_that_always_crashes_is_restarted_at_most_max_restarts_times(
    worker: type[Worker],
) -> None:
    """A restart storm is bounded: one start and ``max_restarts`` restarts."""
    process.flag(trap_exit=True)

    class Doomed(worker):  # type: ignore[valid-type, misc]
        def __init__(self, tag: str, report: Pid) -> None:
            super().__init__(tag, report)
            Worker.crash_later(self.pid)

    sup = await DynamicSupervisor.start_link(max_restarts=20, max_seconds=60.0)
    await DynamicSupervisor.start_child(sup, Doomed.child_spec("doomed", process.current()))

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    assert len([e for e in await mailbox() if isinstance(e, Started)]) == 21


async def test_storm_of_failing_restarts_is_bounded(scripted: type[Scripted]) -> None:
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=20, max_seconds=60.0)
    spec = scripted.child_spec("a", process.current(), ["ok"] + ["raise"] * 1_000)
    pid = await DynamicSupervisor.start_child(sup, spec)

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    assert len([e for e in await mailbox() if isinstance(e, Started)]) == 21


async def test_mass_crash_over_the_limit_ends_the_supervisor_once() -> None:
    process.flag(trap_exit=True)
    sup = await DynamicSupervisor.start_link(max_restarts=3)
    spec = Worker.child_spec("a", process.current())
    found = [await DynamicSupervisor.start_child(sup, spec) for _ in range(100)]
    await mailbox()

    for pid in found:
        process.exit(pid, "boom")

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
    heard = await mailbox()
    assert [e for e in heard if isinstance(e, Exit)] == []
    assert len([e for e in heard if isinstance(e, Started)]) <= 3
    assert set(process.processes()) == {process.current()}


async def test_mass_crash_over_each_childs_limit_gives_all_up() -> None:
    given_up: list[Pid] = []
    sup = await DynamicSupervisor.start_link(
        intensity="child",
        max_restarts=0,
        on_give_up=lambda spec, pid, reason: given_up.append(pid),
    )
    found = [await DynamicSupervisor.start_child(sup, Worker.child_spec()) for _ in range(100)]

    for pid in found:
        process.exit(pid, "boom")
    await mailbox()

    assert set(given_up) == set(found)
    assert len(given_up) == 100
    assert await DynamicSupervisor.which_children(sup) == []


async def test_static_supervisor_of_a_thousand_stops_in_reverse() -> None:
    sup = await Supervisor.start_link(specs(range(THOUSAND)))
    await mailbox()

    await Supervisor.stop(sup)

    assert await mailbox() == [Stopped(n, "shutdown") for n in reversed(range(THOUSAND))]
