"""Many children at once: starts overlap, stops overlap, nothing waits for a slow one."""

import asyncio

import pytest

from beamish import AlreadyStartedError, ChildSpec, DynamicSupervisor, Pid, process

from .support import (
    Gated,
    SlowToStop,
    Stopped,
    Worker,
    down,
    dynamic_pids,
    kill,
    mailbox,
    settle,
    started,
    stopped,
    until,
)


def gated(gate: asyncio.Event, tag: str = "gated", **options: object) -> ChildSpec:
    return Gated.child_spec(tag, process.current(), gate, **options)


async def test_slow_init_does_not_hold_up_the_next_start() -> None:
    """Contract: starts with an async ``init`` run side by side. Elixir's wait in line."""
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    slow = asyncio.create_task(DynamicSupervisor.start_child(sup, gated(gate)))
    await started("gated")

    quick = await DynamicSupervisor.start_child(sup, Worker.child_spec())

    assert process.is_alive(quick)
    assert not slow.done()
    gate.set()
    pid = await slow
    assert await dynamic_pids(sup) == {quick, pid}


async def test_slow_starts_overlap() -> None:
    """All are in ``init`` at once; otherwise none would pass the barrier."""
    barrier = asyncio.Barrier(20)

    class Meeting(Worker):
        async def init(self) -> None:
            await barrier.wait()

    sup = await DynamicSupervisor.start_link()

    pids = await asyncio.gather(
        *(DynamicSupervisor.start_child(sup, Meeting.child_spec()) for _ in range(20))
    )

    assert await dynamic_pids(sup) == set(pids)


async def test_slow_init_does_not_hold_up_questions_and_terminations() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    quick = await DynamicSupervisor.start_child(sup, Worker.child_spec())
    slow = asyncio.create_task(DynamicSupervisor.start_child(sup, gated(gate)))
    await started("gated")

    assert quick in await dynamic_pids(sup)
    await DynamicSupervisor.terminate_child(sup, quick)
    assert quick not in await dynamic_pids(sup)

    gate.set()
    assert process.is_alive(await slow)


async def test_slow_init_does_not_hold_up_restarts() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    quick = await DynamicSupervisor.start_child(sup, Worker.child_spec("q", process.current()))
    await started("q")
    slow = asyncio.create_task(DynamicSupervisor.start_child(sup, gated(gate)))
    await started("gated")

    await kill(quick)

    assert process.is_alive(await started("q"))
    gate.set()
    await slow


async def test_slow_restart_does_not_hold_up_the_next_start() -> None:
    gate = asyncio.Event()
    gate.set()
    sup = await DynamicSupervisor.start_link()
    old = await DynamicSupervisor.start_child(sup, gated(gate))
    await started("gated")
    gate.clear()
    await kill(old)
    await started("gated")

    quick = await DynamicSupervisor.start_child(sup, Worker.child_spec())

    assert quick in await dynamic_pids(sup)
    gate.set()


async def test_second_start_of_a_name_in_init_gives_the_first_at_once() -> None:
    """The name is registered before ``init``: nobody waits to hear that it is taken."""
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    first = asyncio.create_task(DynamicSupervisor.start_child(sup, gated(gate, name="one")))
    initialising = await started("gated")

    with pytest.raises(AlreadyStartedError) as caught:
        await DynamicSupervisor.start_child(sup, gated(gate, name="one"))

    assert caught.value.pid == initialising
    gate.set()
    assert await first == initialising


async def test_failing_slow_start_leaves_the_others_alone() -> None:
    class Late(Worker):
        async def init(self) -> None:
            await asyncio.sleep(0)
            raise OSError("unreachable")

    sup = await DynamicSupervisor.start_link(max_restarts=0)

    outcomes = await asyncio.gather(
        *(
            DynamicSupervisor.start_child(sup, cls.child_spec())
            for cls in [Worker, Late, Worker, Late, Worker]
        ),
        return_exceptions=True,
    )

    assert [isinstance(outcome, Pid) for outcome in outcomes] == [True, False] * 2 + [True]
    assert await dynamic_pids(sup) == {o for o in outcomes if isinstance(o, Pid)}


async def test_children_stop_side_by_side() -> None:
    """Elixir DynamicSupervisor: shuts down concurrently. All meet in ``terminate``."""
    barrier = asyncio.Barrier(50)

    class Meeting(Worker):
        async def terminate(self, reason: object) -> None:
            await barrier.wait()
            super().terminate(reason)

    sup = await DynamicSupervisor.start_link()
    for _ in range(50):
        await DynamicSupervisor.start_child(sup, Meeting.child_spec("m", process.current()))
    await mailbox()

    await DynamicSupervisor.stop(sup)

    assert await mailbox() == [Stopped("m", "shutdown")] * 50


async def test_each_child_gets_its_own_time_to_stop() -> None:
    """Elixir DynamicSupervisor: every child by its own ``shutdown``."""
    gate = asyncio.Event()
    me = process.current()
    sup = await DynamicSupervisor.start_link()
    refs = []
    for shutdown in [0.01, None, "brutal_kill"]:
        spec = SlowToStop.child_spec("slow", me, gate).replace(shutdown=shutdown)
        pid = await DynamicSupervisor.start_child(sup, spec)
        refs.append(process.monitor(pid))
    ref = process.monitor(sup)

    stop = asyncio.create_task(DynamicSupervisor.stop(sup))
    assert await down(refs[2]) == "killed"
    assert await down(refs[0]) == "killed"
    assert not stop.done()
    gate.set()

    assert await down(refs[1]) == "shutdown"
    assert await down(ref) == "normal"
    await stop


async def test_start_asked_for_during_a_slow_terminate_child_is_not_lost() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    spec = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)
    pid = await DynamicSupervisor.start_child(sup, spec)
    terminate = asyncio.create_task(DynamicSupervisor.terminate_child(sup, pid))
    await stopped("slow")

    start = asyncio.create_task(DynamicSupervisor.start_child(sup, Worker.child_spec()))
    await settle()
    gate.set()

    await terminate
    started_late = await start
    assert await dynamic_pids(sup) == {started_late}


async def test_stop_with_starts_under_way_leaves_nothing() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    starts = [
        asyncio.create_task(DynamicSupervisor.start_child(sup, gated(gate, name=f"g{n}")))
        for n in range(5)
    ]
    for _ in range(5):
        await started("gated")

    await DynamicSupervisor.stop(sup)

    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [True] * 5
    assert [process.whereis(f"g{n}") for n in range(5)] == [None] * 5
    await until(lambda: set(process.processes()) == {process.current()})


async def test_children_that_die_while_all_stop_are_not_restarted() -> None:
    gate = asyncio.Event()
    sup = await DynamicSupervisor.start_link()
    me = process.current()
    spec = SlowToStop.child_spec("slow", me, gate).replace(shutdown=None)
    victims = [await DynamicSupervisor.start_child(sup, spec) for _ in range(3)]
    await mailbox()
    stop = asyncio.create_task(DynamicSupervisor.stop(sup))
    for _ in range(3):
        await stopped("slow")

    await kill(victims[0])
    gate.set()
    await stop

    assert await mailbox() == []
