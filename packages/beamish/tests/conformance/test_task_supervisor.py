"""``TaskSupervisor``: tasks that are awaited, and are children of a supervisor.

Sources: Elixir ``Task.Supervisor``, ``start_link/1``, ``async/3``, ``async_nolink/3``.
"""

import asyncio
import logging

import pytest

from beamish import (
    Counts,
    Down,
    DynamicSupervisor,
    ExitError,
    MaxChildrenError,
    NoProcessError,
    Task,
    TaskSupervisor,
    debug,
    process,
)

SUP = "task supervisor"


async def double(number: int) -> int:
    return 2 * number


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


async def stubborn() -> None:
    process.flag(trap_exit=True)
    await forever()


async def down(ref: object) -> object:
    """Wait for the end of a monitored process; its reason."""
    message = await process.receive(timeout=5, match=lambda m: isinstance(m, Down) and m.ref is ref)
    return message.reason


# -- async_ and async_nolink


@pytest.mark.parametrize("start", [TaskSupervisor.async_, TaskSupervisor.async_nolink])
async def test_task_is_awaited_and_is_a_child_meanwhile(start) -> None:
    async with process.attach() as me:
        sup = await TaskSupervisor.start_link(name=SUP)
        gate = asyncio.Event()

        task = start(SUP, gate.wait)

        assert (task.owner, task.function) == (me, "Event.wait")
        assert await TaskSupervisor.children(SUP) == [task.pid]
        assert await TaskSupervisor.count_children(sup) == Counts(1, 1, 0, 1)
        assert process.info(task.pid).parent == sup
        gate.set()
        assert await Task.await_(task) is True
        assert await TaskSupervisor.children(SUP) == []
        await TaskSupervisor.stop(sup)


async def test_async_links_caller_and_task_and_async_nolink_does_not() -> None:
    async with process.attach() as me:
        sup = await TaskSupervisor.start_link()

        linked = TaskSupervisor.async_(sup, forever)
        unlinked = TaskSupervisor.async_nolink(sup, forever)

        assert set(process.info(linked.pid).links) == {me, sup}
        assert process.info(unlinked.pid).links == (sup,)
        assert await Task.shutdown(linked) is None
        await TaskSupervisor.stop(sup)


async def test_failure_of_a_linked_task_takes_the_caller_along() -> None:
    with pytest.raises(ExitError) as failure:
        async with process.attach():
            sup = await TaskSupervisor.start_link()
            await Task.await_(TaskSupervisor.async_(sup, boom))

    assert isinstance(failure.value.__cause__, ValueError)


async def test_failure_of_an_unlinked_task_is_an_answer() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()

        answer = await Task.yield_(TaskSupervisor.async_nolink(sup, boom))

        assert isinstance(answer.reason, ValueError)
        assert process.is_alive(sup)
        await TaskSupervisor.stop(sup)


async def test_failure_is_reported_once(caplog) -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()

        await Task.yield_(TaskSupervisor.async_nolink(sup, boom))

        errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(errors) == 1
        await TaskSupervisor.stop(sup)


async def test_task_that_its_owner_kills_is_not_a_crash(caplog) -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()

        await Task.shutdown(TaskSupervisor.async_nolink(sup, forever), "brutal_kill")

        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        await TaskSupervisor.stop(sup)


async def test_unlinked_task_outlives_its_caller() -> None:
    async with process.attach() as me:
        sup = await TaskSupervisor.start_link()

        async def own() -> None:
            process.send(me, TaskSupervisor.async_nolink(sup, forever))
            raise ValueError

        _, ref = process.spawn_monitor(own)
        task = await process.receive(timeout=50)
        assert isinstance(await down(ref), ValueError)

        assert process.is_alive(task.pid)
        await TaskSupervisor.stop(sup)


async def test_too_many_tasks_are_refused_at_once() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link(max_children=1)
        task = TaskSupervisor.async_nolink(sup, forever)
        before = process.processes()

        for start in (TaskSupervisor.async_, TaskSupervisor.async_nolink):
            with pytest.raises(MaxChildrenError):
                start(sup, double, 1)
        with pytest.raises(MaxChildrenError):
            await TaskSupervisor.start_child(sup, double, 1)

        assert process.processes() == before
        await Task.shutdown(task)
        assert await Task.await_(TaskSupervisor.async_(sup, double, 1)) == 2
        await TaskSupervisor.stop(sup)


async def test_unknown_or_dead_supervisor_raises() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        await TaskSupervisor.stop(sup)

        for dest in ("nobody", sup):
            with pytest.raises(NoProcessError):
                TaskSupervisor.async_(dest, double, 1)
            with pytest.raises(NoProcessError):
                TaskSupervisor.async_nolink(dest, double, 1)


async def test_caller_outside_any_process_is_refused() -> None:
    with pytest.raises(NoProcessError):
        TaskSupervisor.async_nolink(SUP, double, 1)


async def test_other_processes_are_not_task_supervisors() -> None:
    async with process.attach() as me:
        other = await DynamicSupervisor.start_link()

        for dest in (me, other):
            with pytest.raises(TypeError, match="is not a TaskSupervisor"):
                TaskSupervisor.async_(dest, double, 1)

        assert process.is_alive(other)
        await DynamicSupervisor.stop(other)


@pytest.mark.parametrize("shutdown", [-1, "now", True])
async def test_bad_shutdown_is_refused(shutdown: object) -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        before = process.processes()

        with pytest.raises(ValueError, match="shutdown must be"):
            TaskSupervisor.async_(sup, double, 1, shutdown=shutdown)  # type: ignore[call-overload]

        assert process.processes() == before
        await TaskSupervisor.stop(sup)


# -- A supervisor that is busy, or ends


async def test_tasks_start_while_the_supervisor_is_suspended() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        await debug.suspend(sup)

        assert await Task.await_(TaskSupervisor.async_(sup, double, 1)) == 2

        await debug.resume(sup)
        assert await TaskSupervisor.children(sup) == []
        await TaskSupervisor.stop(sup)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "odd"])
async def test_no_task_outlives_its_supervisor(reason: object) -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        process.unlink(sup)
        tasks = [TaskSupervisor.async_nolink(sup, forever) for _ in range(3)]

        await TaskSupervisor.stop(sup, reason)

        assert not any(process.is_alive(task.pid) for task in tasks)


async def test_no_task_outlives_a_killed_supervisor() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        process.unlink(sup)
        task = TaskSupervisor.async_nolink(sup, forever)
        ref = process.monitor(task.pid)

        process.exit(sup, "kill")

        assert await down(ref) == "killed"


async def test_supervisor_that_is_stopping_takes_no_tasks() -> None:
    async with process.attach() as me:
        sup = await TaskSupervisor.start_link()
        process.unlink(sup)

        async def start_another() -> None:
            process.flag(trap_exit=True)
            await process.receive()  # the order to stop
            with pytest.raises(ExitError) as failure:
                TaskSupervisor.async_nolink(sup, double, 1)
            process.send(me, failure.value.reason)

        await TaskSupervisor.start_child(sup, start_another)
        await asyncio.sleep(0)

        await TaskSupervisor.stop(sup)

        assert await process.receive(timeout=0) == "shutdown"


async def test_brutal_shutdown_kills_at_once() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        process.unlink(sup)
        patient = TaskSupervisor.async_nolink(sup, stubborn, shutdown=0.001)
        brutal = TaskSupervisor.async_nolink(sup, stubborn, shutdown="brutal_kill")
        await asyncio.sleep(0)

        await TaskSupervisor.stop(sup)

        answers = dict(await Task.yield_many([patient, brutal]))
        assert [answers[task].reason for task in (patient, brutal)] == ["killed", "killed"]
