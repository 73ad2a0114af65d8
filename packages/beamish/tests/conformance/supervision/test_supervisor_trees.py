"""Trees of supervisors: escalation, depth, and a registry beside those who use it."""

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    Exit,
    GenServer,
    Pid,
    Registry,
    Supervisor,
    process,
)

from .support import (
    MANY,
    Started,
    Stopped,
    Worker,
    children,
    crash,
    down,
    dynamic_pids,
    expect,
    kill,
    mailbox,
    specs,
    started,
    until,
)


def tower(depth: int, bottom: list[ChildSpec], **options: object) -> ChildSpec:
    """A supervisor over a supervisor over ... over ``bottom``."""
    spec = Supervisor.child_spec(bottom, name="level 0", **options)
    for level in range(1, depth):
        spec = Supervisor.child_spec([spec], name=f"level {level}", **options)
    return spec


async def test_supervisor_that_gives_up_is_restarted_by_its_own(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Exit reasons and restarts": permanent supervisors come back."""
    inner = Supervisor.child_spec(specs("ab", worker), max_restarts=0, name="inner")
    await Supervisor.start_link([inner])
    first = process.whereis("inner")
    a = await started("a")
    await started("b")
    await mailbox()

    await crash(a)

    heard = await mailbox()
    assert [(type(e), e.tag) for e in heard] == [
        (Stopped, "a"),
        (Stopped, "b"),
        (Started, "a"),
        (Started, "b"),
    ]
    assert process.whereis("inner") not in (None, first)


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_supervisor_that_gives_up_stays_down_unless_permanent(restart: str) -> None:
    """It exits with ``"shutdown"``, a clean reason."""
    inner = Supervisor.child_spec(specs("a"), max_restarts=0, name="inner")
    await Supervisor.start_link([inner.replace(restart=restart)])

    await crash(await started("a"))
    await mailbox()

    assert process.whereis("inner") is None


async def test_failure_escalates_to_the_top() -> None:
    process.flag(trap_exit=True)
    spec = tower(5, specs("a"), max_restarts=0)
    top = await Supervisor.start_link([spec], max_restarts=0)

    await crash(await started("a"))

    assert (await expect(Exit, pid=top)).reason == "shutdown"
    assert [process.whereis(f"level {level}") for level in range(5)] == [None] * 5


async def test_each_level_tries_before_the_next() -> None:
    """A child that always crashes is started (1 + r) to the power of the levels times."""
    process.flag(trap_exit=True)
    top = await Supervisor.start_link([tower(2, specs("a"), max_restarts=1)], max_restarts=1)
    starts = 0

    while True:
        event = await process.receive(timeout=50)
        if isinstance(event, Started):
            starts += 1
            Worker.crash_later(event.pid)
        elif isinstance(event, Exit) and event.pid == top:
            break

    assert starts == 2**3


async def test_crash_at_the_bottom_leaves_the_levels_above_alone(worker: type[Worker]) -> None:
    await Supervisor.start_link([tower(5, specs("a", worker))])
    before = [process.whereis(f"level {level}") for level in range(5)]

    await crash(await started("a"))

    await started("a")
    assert [process.whereis(f"level {level}") for level in range(5)] == before


async def chain(top: Pid) -> list[Pid]:
    """The supervisors from ``top`` down, in a tree where each has one child."""
    found = [top]
    while True:
        [child] = await Supervisor.which_children(found[-1])
        if child.type == "worker":
            return found
        found.append(child.pid)


async def test_tree_a_hundred_supervisors_deep_starts_restarts_and_stops() -> None:
    """Without names: those of a killed supervisor's subtree may still be held when it is
    restarted, here as on OTP 25, and the restart would fail."""
    depth, middle = 100, 50
    spec = specs("a")[0]
    for _ in range(depth):
        spec = Supervisor.child_spec([spec])
    top = await Supervisor.start_link([spec])
    a = await started("a")
    before = await chain(top)
    assert len(before) == depth + 1

    await kill(before[middle])

    assert await started("a") != a
    after = await chain(top)
    assert after[:middle] == before[:middle]
    assert not set(after[middle:]) & set(before)
    await Supervisor.stop(top)
    assert set(process.processes()) == {process.current()}


async def test_tree_stops_from_the_bottom_up(worker: type[Worker]) -> None:
    left = Supervisor.child_spec(specs("ab", worker), name="left")
    right = Supervisor.child_spec(specs("cd", worker), name="right")
    top = await Supervisor.start_link([left, right, *specs("e", worker)])
    await mailbox()

    await Supervisor.stop(top)

    assert [event.tag for event in await mailbox()] == ["e", "d", "c", "b", "a"]


async def test_supervisor_has_no_limit_to_stop_its_children() -> None:
    """Elixir Supervisor, "Shutdown values": infinity for supervisors."""
    sup = await Supervisor.start_link([Supervisor.child_spec(specs("ab"), name="inner")])
    refs = [process.monitor(await started(tag)) for tag in "ab"]

    await Supervisor.terminate_child(sup, "inner")

    assert [await down(ref) for ref in refs] == ["shutdown", "shutdown"]


async def registry_and_workers(strategy: str) -> None:
    """The tree of the article, with ``strategy``, and three workers in it."""
    me = process.current()
    await Supervisor.start_link(
        [
            Registry.child_spec(keys="unique", name="registry"),
            DynamicSupervisor.child_spec(name="workers", max_restarts=MANY),
        ],
        strategy=strategy,
        max_restarts=MANY,
    )
    for tag in "abc":
        spec = Worker.child_spec(tag, me, name=Registry.via("registry", tag))
        await DynamicSupervisor.start_child("workers", spec)
    await mailbox()


async def test_registry_crash_under_rest_for_one_restarts_its_users() -> None:
    """The dynamic supervisor starts after the registry, so it is restarted with it, empty."""
    await registry_and_workers("rest_for_one")
    registry, workers = process.whereis("registry"), process.whereis("workers")
    old = await dynamic_pids("workers")

    await kill(registry)
    await mailbox()

    assert process.whereis("registry") not in (None, registry)
    assert process.whereis("workers") not in (None, workers)
    assert await dynamic_pids("workers") == set()
    assert Registry.count("registry") == 0
    assert [process.is_alive(pid) for pid in old] == [False] * 3


async def test_names_can_be_taken_again_after_a_registry_crash_under_rest_for_one() -> None:
    await registry_and_workers("rest_for_one")
    await kill(process.whereis("registry"))
    await mailbox()

    spec = Worker.child_spec("a", name=Registry.via("registry", "a"))
    pid = await DynamicSupervisor.start_child("workers", spec)

    assert Registry.whereis("registry", "a") == pid


async def test_registry_crash_under_one_for_one_makes_its_users_register_again() -> None:
    """Its users die with it and are restarted by their own supervisor."""
    await registry_and_workers("one_for_one")
    old = await dynamic_pids("workers")

    await kill(process.whereis("registry"))

    await until(lambda: process.whereis("registry"))
    await mailbox()
    found = {Registry.whereis("registry", tag) for tag in "abc"}
    assert found == await dynamic_pids("workers")
    assert not found & old
    assert None not in found


async def test_registry_crash_leaves_those_who_are_not_in_it_alone() -> None:
    await registry_and_workers("one_for_one")
    plain = await DynamicSupervisor.start_child("workers", Worker.child_spec("plain"))

    await kill(process.whereis("registry"))
    await mailbox()

    assert process.is_alive(plain)


async def test_wide_tree_restarts_only_what_crashed() -> None:
    groups = [
        Supervisor.child_spec(specs([(n, "a"), (n, "b")]), name=f"group {n}") for n in range(50)
    ]
    top = await Supervisor.start_link(groups)
    before = {n: await children(f"group {n}") for n in range(50)}

    await crash(before[25][(25, "a")].pid)
    await mailbox()

    after = {n: await children(f"group {n}") for n in range(50)}
    changed = {n for n in before if before[n] != after[n]}
    assert changed == {25}
    await GenServer.stop(top)
