"""The three strategies: which children stop and start again when one ends.

What follows was also run on OTP 25: stopped and terminated children come back with a group
restart, temporary ones are dropped by it, and a temporary child's own crash restarts nobody.
"""

import pytest

from beamish import GenServer, Pid, Supervisor, process

from .support import (
    MANY,
    CrashError,
    Scripted,
    Started,
    Stopped,
    Worker,
    children,
    crash,
    kill,
    mailbox,
    pids,
    specs,
    started,
)

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]


async def start(strategy: str, worker: type[Worker] = Worker) -> Pid:
    """Start a, b, c, d and forget that they told so."""
    sup = await Supervisor.start_link(specs("abcd", worker), strategy=strategy)
    assert len(await mailbox()) == 4
    return sup


def summary(heard: list[object]) -> list[tuple[str, object]]:
    """What was heard, as (event, tag)."""
    return [(type(event).__name__, event.tag) for event in heard]


async def test_one_for_one_restarts_only_the_child_that_ended(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Strategies"."""
    sup = await start("one_for_one", worker)
    before = await pids(sup, *"abcd")

    await crash(before[1])

    b = await started("b")
    assert await pids(sup, *"abcd") == [before[0], b, before[2], before[3]]
    assert b not in before


async def test_one_for_all_restarts_all_children(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Strategies"; the others stop in reverse order, then all start."""
    sup = await start("one_for_all", worker)
    before = await pids(sup, *"abcd")

    await crash(before[1])

    await started("d")
    after = await pids(sup, *"abcd")
    assert not set(after) & set(before)
    assert after == sorted(after)


async def test_one_for_all_stops_in_reverse_and_starts_in_order(worker: type[Worker]) -> None:
    sup = await start("one_for_all", worker)
    [b] = await pids(sup, "b")

    await crash(b)

    assert summary(await mailbox()) == [
        ("Stopped", "b"),
        ("Stopped", "d"),
        ("Stopped", "c"),
        ("Stopped", "a"),
        ("Started", "a"),
        ("Started", "b"),
        ("Started", "c"),
        ("Started", "d"),
    ]


async def test_rest_for_one_restarts_the_children_after_it(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Strategies"."""
    sup = await start("rest_for_one", worker)
    before = await pids(sup, *"abcd")

    await crash(before[1])

    assert summary(await mailbox()) == [
        ("Stopped", "b"),
        ("Stopped", "d"),
        ("Stopped", "c"),
        ("Started", "b"),
        ("Started", "c"),
        ("Started", "d"),
    ]
    after = await pids(sup, *"abcd")
    assert after[0] == before[0]
    assert not set(after[1:]) & set(before)
    assert after == sorted(after)


async def test_rest_for_one_restarts_only_the_last_child_when_it_ends(
    worker: type[Worker],
) -> None:
    sup = await start("rest_for_one", worker)
    before = await pids(sup, *"abcd")

    await crash(before[3])

    await started("d")
    assert (await pids(sup, *"abcd"))[:3] == before[:3]


async def test_siblings_are_stopped_with_shutdown() -> None:
    sup = await start("one_for_all")
    [a] = await pids(sup, "a")

    await crash(a)

    reasons = {event.tag: event.reason for event in await mailbox() if isinstance(event, Stopped)}
    assert isinstance(reasons.pop("a"), CrashError)
    assert reasons == {"b": "shutdown", "c": "shutdown", "d": "shutdown"}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_killed_child_is_restarted(strategy: str, worker: type[Worker]) -> None:
    sup = await start(strategy, worker)
    [d] = await pids(sup, "d")

    await kill(d)

    assert await started("d") != d


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_permanent_child_that_ends_normally_is_restarted_by_the_strategy(
    strategy: str,
) -> None:
    """Elixir Supervisor, "Restart values": permanent is always restarted."""
    sup = await start(strategy)
    before = await pids(sup, *"abcd")

    await GenServer.stop(before[1])

    await started("b")
    await mailbox()
    changed = [new != old for new, old in zip(await pids(sup, *"abcd"), before, strict=True)]
    assert (
        changed
        == {
            "one_for_one": [False, True, False, False],
            "one_for_all": [True, True, True, True],
            "rest_for_one": [False, True, True, True],
        }[strategy]
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_temporary_childs_crash_leaves_its_siblings_alone(strategy: str) -> None:
    """Elixir Supervisor, "Restart values": any end of a temporary child counts as success."""
    temporary = specs("t", restart="temporary")
    sup = await Supervisor.start_link([*specs("a"), *temporary, *specs("z")], strategy=strategy)
    a, t, z = await pids(sup, *"atz")

    await crash(t)

    assert await pids(sup, "a", "z") == [a, z]
    assert "t" not in await children(sup)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_transient_childs_normal_end_leaves_its_siblings_alone(strategy: str) -> None:
    transient = specs("t", restart="transient")
    sup = await Supervisor.start_link([*specs("a"), *transient, *specs("z")], strategy=strategy)
    a, t, z = await pids(sup, *"atz")

    await GenServer.stop(t)

    assert await pids(sup, "a", "t", "z") == [a, None, z]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_group_restart_drops_temporary_siblings(strategy: str) -> None:
    """OTP supervisor: temporary children are stopped and not started again."""
    temporary = specs("t", restart="temporary")
    sup = await Supervisor.start_link([*specs("a"), *temporary, *specs("z")], strategy=strategy)
    a, t, _ = await pids(sup, *"atz")

    await crash(a)

    await mailbox()
    assert set(await children(sup)) == {"a", "z"}
    assert not process.is_alive(t)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_group_restart_starts_stopped_and_terminated_siblings_too(strategy: str) -> None:
    """OTP supervisor: every specification of the group is started."""
    transient = specs("t", restart="transient")
    sup = await Supervisor.start_link([*specs("a"), *transient, *specs("z")], strategy=strategy)
    a, t, _ = await pids(sup, *"atz")
    await GenServer.stop(t)
    await Supervisor.terminate_child(sup, "z")

    await crash(a)

    await mailbox()
    found = await children(sup)
    assert [found[tag].status for tag in "atz"] == ["running"] * 3


async def test_rest_for_one_leaves_a_stopped_earlier_sibling_stopped() -> None:
    sup = await start("rest_for_one")
    [c] = await pids(sup, "c")
    await Supervisor.terminate_child(sup, "a")

    await crash(c)

    await mailbox()
    assert (await children(sup))["a"].status == "stopped"


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_child_added_later_follows_the_strategy(strategy: str) -> None:
    sup = await start(strategy)
    late = await Supervisor.start_child(sup, specs(["late"])[0])
    [a] = await pids(sup, "a")

    await crash(a)

    await mailbox()
    [now] = await pids(sup, "late")
    assert (now == late) is (strategy == "one_for_one")


@pytest.mark.parametrize(
    ("strategy", "starts"),
    [("one_for_all", "ababab"), ("rest_for_one", "abbb")],
)
async def test_group_restart_is_tried_again_when_a_child_cannot_start(
    strategy: str, starts: str, scripted: type[Scripted]
) -> None:
    """OTP supervisor: one_for_all starts all over, rest_for_one from the child that failed."""
    flaky = scripted.child_spec("b", process.current(), ["ok", "raise", "raise", "ok"])
    sup = await Supervisor.start_link(
        [*specs("a"), flaky.replace(id="b"), *specs("c")], strategy=strategy, max_restarts=MANY
    )
    await mailbox()
    [a] = await pids(sup, "a")

    await crash(a)

    heard = await mailbox()
    assert "".join(e.tag for e in heard if isinstance(e, Started)) == starts + "c"
    assert [child.status for child in (await children(sup)).values()] == ["running"] * 3


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_two_siblings_that_crash_at_once_make_no_child_start_twice(
    strategy: str, worker: type[Worker]
) -> None:
    sup = await Supervisor.start_link(specs("abcd", worker), strategy=strategy, max_restarts=MANY)
    await mailbox()
    before = await pids(sup, *"abcd")

    for pid in before:
        Worker.crash_later(pid)
    await mailbox()

    after = await pids(sup, *"abcd")
    assert None not in after
    assert not set(after) & set(before)
    assert set(after) == set(process.processes()) - {process.current(), sup}
