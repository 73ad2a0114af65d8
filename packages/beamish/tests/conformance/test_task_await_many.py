"""``await_many``, and tasks that are ``completed`` from the start.

Sources: Elixir ``Task.await_many/2``, ``completed/1``.
"""

import asyncio

import pytest

from beamish import (
    CallTimeoutError,
    ExitError,
    Task,
    process,
)


async def double(number: int, times: int = 2) -> int:
    await asyncio.sleep(0)
    return number * times


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


async def test_await_many_gives_answers_in_the_order_of_the_tasks() -> None:
    async with process.attach():
        gate = asyncio.Event()

        async def first() -> int:
            await gate.wait()
            return 1

        async def second() -> int:
            gate.set()
            return 2

        tasks = [Task.async_(first), Task.async_(second)]

        assert await Task.await_many(tasks) == [1, 2]
        assert await Task.await_many([]) == []


async def test_await_many_leaves_other_messages_alone() -> None:
    async with process.attach() as me:
        tasks = [Task.async_(double, number) for number in range(3)]
        process.send(me, "other")

        assert await Task.await_many([*tasks, tasks[0]]) == [0, 2, 4, 0]

        assert await process.receive(timeout=0) == "other"
        assert process.info(me).message_queue_len == 0


async def test_await_many_raises_at_the_first_failure() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)
        tasks = [Task.async_(forever), Task.async_(boom), Task.async_(double, 1)]

        with pytest.raises(ExitError) as failure:
            await Task.await_many(tasks)

        assert isinstance(failure.value.__cause__, ValueError)
        assert process.info(me).monitors == ()
        assert process.is_alive(tasks[0].pid)
        await Task.shutdown(tasks[0])


async def test_await_many_gives_up_in_time() -> None:
    async with process.attach() as me:
        tasks = [Task.async_(double, 1), Task.async_(forever)]

        with pytest.raises(CallTimeoutError):
            await Task.await_many(tasks, timeout=0.01)

        assert process.info(me).monitors == ()
        await Task.shutdown(tasks[1])


async def test_many_tasks_are_awaited_in_little_time() -> None:
    async with process.attach():
        tasks = [Task.async_(double, number) for number in range(3000)]

        assert await Task.await_many(tasks) == [2 * number for number in range(3000)]


async def test_completed_task_is_awaited_like_any_other() -> None:
    async with process.attach() as me:
        done = await Task.completed(7)
        tasks = [Task.async_(double, 1), done]

        assert await Task.await_many(tasks) == [2, 7]

        assert (done.pid, done.owner) == (None, me)
        assert process.info(me).message_queue_len == 0


async def test_completed_task_is_a_message_to_its_owner() -> None:
    async with process.attach():
        done = await Task.completed(7)

        assert await process.receive(timeout=0) == (done.ref, 7)
