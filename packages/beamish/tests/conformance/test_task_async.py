"""``Task.async_`` and ``await_``.

Sources: Elixir ``Task``, "async and await", ``async/1``, ``async/3``, ``await/2``.
"""

import asyncio
import functools
from contextvars import ContextVar

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    Exit,
    ExitError,
    NoProcessError,
    Pid,
    Task,
    process,
)

REQUEST: ContextVar[str] = ContextVar("request", default="none")


async def double(number: int, times: int = 2) -> int:
    await asyncio.sleep(0)
    return number * times


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


async def hand_over(owner: Pid) -> Task[int]:
    """Return a task that another process owns."""

    async def start() -> None:
        process.send(owner, Task.async_(double, 1))
        await asyncio.Event().wait()

    process.spawn(start)
    return await process.receive(timeout=50)


async def test_await_returns_what_the_function_returns() -> None:
    async with process.attach():
        task = Task.async_(double, 21)

        assert await Task.await_(task) == 42


async def test_function_takes_all_its_arguments() -> None:
    async with process.attach():
        assert await Task.await_(Task.async_(double, 2, 5)) == 10


@pytest.mark.parametrize(
    "fn",
    [lambda: 3, lambda: double(1, 3), functools.partial(double, 1, times=3), [1, 2, 3].__len__],
    ids=["plain", "plain that gives a coroutine", "partial", "bound method"],
)
async def test_any_callable_can_be_a_task(fn) -> None:
    async with process.attach():
        assert await Task.await_(Task.async_(fn)) == 3


async def test_plain_function_runs_in_the_task_not_in_the_caller() -> None:
    async with process.attach() as me:
        task = Task.async_(process.current)

        assert await Task.await_(task) == task.pid != me


async def test_task_knows_its_process_its_owner_and_its_function() -> None:
    async with process.attach() as me:
        task = Task.async_(double, 1)

        assert task.owner == me
        assert task.function == "double"
        assert process.is_alive(task.pid)
        assert repr(task) == f"Task(double, {task.pid!r})"
        info = process.info(task.pid)
        assert (info.class_name, info.parent, info.links) == ("double", me, (me,))
        assert process.info(me).monitors == (task.pid,)
        await Task.await_(task)


async def test_tasks_run_side_by_side() -> None:
    async with process.attach():
        met = asyncio.Barrier(3)

        tasks = [Task.async_(met.wait) for _ in range(3)]

        assert sorted(await Task.await_many(tasks)) == [0, 1, 2]


async def test_task_sees_the_context_of_its_caller() -> None:
    async with process.attach():
        REQUEST.set("r1")

        assert await Task.await_(Task.async_(REQUEST.get)) == "r1"


async def test_nothing_of_an_awaited_task_is_left_behind() -> None:
    async with process.attach() as me:
        task = Task.async_(double, 1)
        await Task.await_(task)

        info = process.info(me)
        assert (info.links, info.monitors, info.message_queue_len) == ((), (), 0)


async def test_owner_gets_messages_when_it_does_not_wait() -> None:
    async with process.attach():
        task = Task.async_(double, 21)

        assert await process.receive(timeout=50) == (task.ref, 42)
        assert await process.receive(timeout=50) == Down(task.ref, task.pid, "normal")


async def test_answer_that_has_arrived_is_taken_out_of_the_mailbox(settle) -> None:
    async with process.attach() as me:
        process.send(me, "before")
        task = Task.async_(double, 21)
        await settle()
        process.send(me, "after")

        assert await Task.await_(task) == 42

        assert await process.receive(timeout=0) == "before"
        assert await process.receive(timeout=0) == "after"
        assert process.info(me).message_queue_len == 0


async def test_demonitor_drops_a_late_answer(settle) -> None:
    async with process.attach() as me:
        task = Task.async_(double, 21)

        process.demonitor(task.ref)
        await settle()

        assert process.info(me).message_queue_len == 0
        with pytest.raises(CallTimeoutError):
            await Task.await_(task)


async def test_owner_outside_any_process_is_refused() -> None:
    with pytest.raises(NoProcessError):
        Task.async_(double, 1)


async def test_wrong_arguments_are_a_mistake_of_the_caller() -> None:
    async with process.attach():
        before = process.processes()

        with pytest.raises(TypeError):
            Task.async_(double, 1, 2, 3)

        assert process.processes() == before


async def test_coroutine_instead_of_a_function_is_refused() -> None:
    async with process.attach():
        with pytest.raises(TypeError, match=r"async_\(fetch, url\)"):
            Task.async_(double(1))  # type: ignore[call-overload]


async def test_only_the_owner_may_await() -> None:
    async with process.attach() as me:
        task = await hand_over(me)

        with pytest.raises(ValueError, match=f"{task.owner!r}, not by {me!r}"):
            await Task.await_(task)
        with pytest.raises(ValueError, match="must be awaited by its owner"):
            await Task.await_many([task])

    with pytest.raises(ValueError, match="outside any process"):
        await Task.await_(task)


async def test_await_of_an_object_that_is_not_a_task_raises() -> None:
    async with process.attach():
        with pytest.raises(TypeError, match="expected a Task"):
            await Task.await_(double)  # type: ignore[arg-type]


# -- Failure


async def test_failure_takes_the_owner_along() -> None:
    with pytest.raises(ExitError) as failure:
        async with process.attach():
            await Task.await_(Task.async_(boom))

    assert isinstance(failure.value.__cause__, ValueError)


async def test_failure_raises_in_an_owner_that_traps_exits() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        task = Task.async_(boom)

        with pytest.raises(ExitError) as failure:
            await Task.await_(task)

        assert isinstance(failure.value.__cause__, ValueError)
        assert failure.value.dest == task.pid
        assert await process.receive(timeout=50) == Exit(task.pid, failure.value.reason)


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "odd"])
async def test_exit_without_an_answer_raises(reason: object) -> None:
    async def leave() -> None:
        process.exit(process.current(), reason)
        await asyncio.Event().wait()

    async with process.attach():
        process.flag(trap_exit=True)

        with pytest.raises(ExitError) as failure:
            await Task.await_(Task.async_(leave))

        assert failure.value.reason == reason


async def test_task_dies_with_its_owner() -> None:
    async with process.attach() as me:

        async def own() -> None:
            process.send(me, Task.async_(forever))
            raise ValueError("owner")

        process.spawn(own)
        task = await process.receive(timeout=50)
        ref = process.monitor(task.pid)

        down = await process.receive(timeout=50)

        assert down.ref is ref


async def test_failed_task_is_reported_once_with_what_it_ran(caplog) -> None:
    async with process.attach():
        process.flag(trap_exit=True)

        with pytest.raises(ExitError):
            await Task.await_(Task.async_(boom))

    [record] = caplog.records
    assert "boom()" in record.message
    assert isinstance(record.exc_info[1], ValueError)


# -- Time


async def test_await_gives_up_in_time_and_drops_the_late_answer() -> None:
    async with process.attach() as me:
        gate = asyncio.Event()
        task = Task.async_(gate.wait)

        with pytest.raises(CallTimeoutError, match=r"await_ of Event\.wait within 0\.001 s"):
            await Task.await_(task, timeout=0.001)

        ref = process.monitor(task.pid)
        gate.set()
        assert await process.receive(timeout=50) == Down(ref, task.pid, "normal")
        assert process.info(me).message_queue_len == 0


async def test_await_with_no_time_only_looks() -> None:
    async with process.attach():
        with pytest.raises(CallTimeoutError):
            await Task.await_(Task.async_(double, 1), timeout=0)


async def test_task_can_be_awaited_once() -> None:
    async with process.attach():
        task = Task.async_(double, 1)
        await Task.await_(task)

        with pytest.raises(CallTimeoutError):
            await Task.await_(task)


async def test_cancelled_await_loses_no_answer(settle) -> None:
    async with process.attach():
        gate = asyncio.Event()
        task = Task.async_(gate.wait)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Task.await_(task), 0.001)

        gate.set()
        await settle()

        assert await Task.await_(task) is True


@pytest.mark.parametrize("timeout", ["soon", True])
async def test_bad_timeout_is_refused(timeout: object) -> None:
    async with process.attach():
        task = Task.async_(double, 1)

        with pytest.raises(TypeError, match="timeout must be a number"):
            await Task.await_(task, timeout=timeout)  # type: ignore[arg-type]

        assert await Task.await_(task) == 2
