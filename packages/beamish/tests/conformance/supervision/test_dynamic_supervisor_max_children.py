"""``max_children``: what counts as a child, and what a full supervisor says."""

import asyncio

import pytest

from beamish import (
    Backoff,
    DynamicSupervisor,
    GenServer,
    IgnoredError,
    MaxChildrenError,
    Pid,
    StartError,
    process,
)

from .support import (
    MANY,
    Gated,
    Scripted,
    Started,
    Worker,
    crash,
    dynamic_pids,
    kill,
    mailbox,
    settle,
    started,
)


async def full(limit: int, **options: object) -> tuple[Pid, list[Pid]]:
    """A supervisor with as many children as it may have."""
    sup = await DynamicSupervisor.start_link(max_children=limit, **options)
    spec = Worker.child_spec("a", process.current())
    found = [await DynamicSupervisor.start_child(sup, spec) for _ in range(limit)]
    await mailbox()
    return sup, found


async def refuses(sup: Pid) -> bool:
    """Whether ``sup`` is full; asks for a child whose start would be heard."""
    try:
        await DynamicSupervisor.start_child(sup, Worker.child_spec("extra", process.current()))
    except MaxChildrenError:
        assert [event for event in await mailbox() if isinstance(event, Started)] == []
        return True
    return False


async def test_no_limit_is_the_default() -> None:
    """Elixir ``DynamicSupervisor.start_link/1``: ``:infinity``."""
    sup = await DynamicSupervisor.start_link()

    for _ in range(200):
        await DynamicSupervisor.start_child(sup, Worker.child_spec())

    assert (await DynamicSupervisor.count_children(sup)).active == 200


async def test_one_more_than_max_children_is_refused_and_not_started() -> None:
    """Elixir ``DynamicSupervisor.start_child/2``: ``{:error, :max_children}``."""
    sup, found = await full(2)

    with pytest.raises(MaxChildrenError):
        await DynamicSupervisor.start_child(sup, Worker.child_spec("extra", process.current()))

    assert await mailbox() == []
    assert await dynamic_pids(sup) == set(found)


async def test_zero_refuses_every_child() -> None:
    """OTP 25."""
    sup, _ = await full(0)

    assert await refuses(sup)


async def test_refusal_is_a_start_error() -> None:
    sup, _ = await full(0)

    with pytest.raises(StartError):
        await DynamicSupervisor.start_child(sup, Worker.child_spec())


async def test_terminated_child_makes_room() -> None:
    sup, [pid] = await full(1)

    await DynamicSupervisor.terminate_child(sup, pid)

    assert not await refuses(sup)


async def test_child_that_ended_normally_makes_room(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link(max_children=1)
    spec = worker.child_spec().replace(restart="transient")
    pid = await DynamicSupervisor.start_child(sup, spec)

    await GenServer.stop(pid)

    assert not await refuses(sup)


async def test_crashed_temporary_child_makes_room() -> None:
    sup = await DynamicSupervisor.start_link(max_children=1)
    spec = Worker.child_spec().replace(restart="temporary")

    for _ in range(5):
        await crash(await DynamicSupervisor.start_child(sup, spec))

    assert not await refuses(sup)


@pytest.mark.parametrize("outcome", ["raise", "ignore"])
async def test_start_that_fails_or_ignores_takes_no_room(
    outcome: str, scripted: type[Scripted]
) -> None:
    sup = await DynamicSupervisor.start_link(max_children=1)

    with pytest.raises((StartError, IgnoredError)):
        await DynamicSupervisor.start_child(sup, scripted.child_spec("a", None, [outcome]))

    assert not await refuses(sup)


async def test_restarted_child_keeps_its_place(worker: type[Worker]) -> None:
    sup = await DynamicSupervisor.start_link(max_children=1, max_restarts=MANY)
    spec = worker.child_spec("a", process.current())
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    for _ in range(5):
        await kill(pid)
        pid = await started("a")

    assert await refuses(sup)
    assert await dynamic_pids(sup) == {pid}


async def test_child_that_waits_for_its_restart_counts() -> None:
    """Contract: a restarting child counts towards ``max_children``."""
    sup, [pid] = await full(1, backoff=Backoff(initial=60.0, jitter=0.0))

    await kill(pid)
    await settle()

    assert await refuses(sup)
    await DynamicSupervisor.terminate_child(sup, pid)
    assert not await refuses(sup)


async def test_child_whose_restart_waits_in_init_counts() -> None:
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link(max_children=1)
    spec = Gated.child_spec("a", process.current(), gate)
    pid = await DynamicSupervisor.start_child(sup, spec)
    await started("a")
    gate.clear()

    await kill(pid)
    await started("a")

    assert await refuses(sup)
    gate.set()


async def test_child_that_ignores_at_restart_makes_room(scripted: type[Scripted]) -> None:
    sup = await DynamicSupervisor.start_link(max_children=1)
    pid = await DynamicSupervisor.start_child(sup, scripted.child_spec("a", None, ["ok", "ignore"]))

    await crash(pid)
    await settle()

    assert not await refuses(sup)


async def test_given_up_child_makes_room() -> None:
    sup, [pid] = await full(1, intensity="child", max_restarts=0)

    await crash(pid)
    await settle()

    assert not await refuses(sup)


async def test_starts_side_by_side_never_exceed_the_limit() -> None:
    """Starts that wait in ``init`` hold their places."""
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link(max_children=3)
    spec = Gated.child_spec("a", process.current(), gate)

    starts = [asyncio.create_task(DynamicSupervisor.start_child(sup, spec)) for _ in range(10)]
    assert len([e for e in await mailbox() if isinstance(e, Started)]) <= 3
    gate.set()
    outcomes = await asyncio.gather(*starts, return_exceptions=True)

    assert sum(isinstance(outcome, Pid) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, MaxChildrenError) for outcome in outcomes) == 7
    assert (await DynamicSupervisor.count_children(sup)).active == 3


async def test_start_that_fails_late_gives_its_place_back() -> None:
    sup = await DynamicSupervisor.start_link(max_children=1)

    class Late(Worker):
        async def init(self) -> None:
            await asyncio.sleep(0)
            raise OSError("unreachable")

    for _ in range(3):
        with pytest.raises(StartError):
            await DynamicSupervisor.start_child(sup, Late.child_spec())

    assert not await refuses(sup)
