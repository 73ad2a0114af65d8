"""``yield_``, ``yield_many``, ``shutdown`` and ``ignore`` of tasks.

Sources: Elixir ``Task.yield/2``, ``yield_many/2``, ``shutdown/2``, ``ignore/1``.
"""

import asyncio

import pytest

from beamish import CallTimeoutError, Down, Exit, Exited, Ok, Task, process

from .virtual_time import on_virtual_clock


async def forever() -> None:
    await asyncio.Event().wait()


async def answer(value: object = "answer") -> object:
    return value


async def leave(reason: object) -> None:
    process.exit(process.current(), reason)
    await forever()


async def obstinate(gate: asyncio.Event) -> str:
    """Trap exits, and answer once the gate opens."""
    process.flag(trap_exit=True)
    await gate.wait()
    return "after all"


async def trap(log: list[object]) -> None:
    """Trap exits, and note them."""
    process.flag(trap_exit=True)
    while True:
        log.append(await process.receive())


# -- yield_


async def test_yield_gives_the_answer() -> None:
    async with process.attach() as me:
        task = Task.async_(answer)

        assert await Task.yield_(task) == Ok("answer")

        assert process.info(me).message_queue_len == 0


async def test_yield_gives_none_before_the_answer_and_can_be_repeated() -> None:
    async with process.attach():
        gate = asyncio.Event()
        task = Task.async_(gate.wait)

        assert await Task.yield_(task, timeout=0) is None
        assert await Task.yield_(task, timeout=0.001) is None
        gate.set()

        assert await Task.yield_(task) == Ok(True)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "odd"])
async def test_yield_gives_the_exit_reason(reason: object) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        task = Task.async_(leave, reason)

        assert await Task.yield_(task) == Exited(reason)


async def test_yield_after_the_answer_gives_none() -> None:
    async with process.attach():
        task = Task.async_(answer)
        await Task.yield_(task)

        assert await Task.yield_(task) is None


async def test_looking_again_and_again_lets_the_task_run() -> None:
    async with process.attach():
        task = Task.async_(answer)

        found = None
        while found is None:
            found = await Task.yield_(task, timeout=0)

        assert found == Ok("answer")


async def test_only_the_owner_may_ask() -> None:
    async with process.attach() as me:

        async def own() -> None:
            process.send(me, Task.async_(forever))
            await forever()

        process.spawn(own)
        task = await process.receive(timeout=50)

        for ask in (Task.yield_, Task.shutdown, Task.ignore):
            with pytest.raises(ValueError, match=f"by its owner {task.owner!r}, not by {me!r}"):
                await ask(task)
        with pytest.raises(ValueError, match="by its owner"):
            await Task.yield_many([task])


async def test_yield_many_gives_each_answer_beside_its_task(settle) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        tasks = [Task.async_(answer, 1), Task.async_(forever), Task.async_(leave, "odd")]
        await settle()

        answers = await Task.yield_many(tasks, timeout=0.01)

        assert answers == list(zip(tasks, [Ok(1), None, Exited("odd")], strict=True))
        await Task.shutdown(tasks[1])


async def test_yield_many_waits_no_longer_than_for_the_last_answer() -> None:
    async with process.attach():
        tasks = [Task.async_(answer, number) for number in range(3)]

        answers = await Task.yield_many(tasks, timeout=None)

        assert [found for _, found in answers] == [Ok(0), Ok(1), Ok(2)]
        assert await Task.yield_many([]) == []


# -- shutdown


async def test_shutdown_ends_the_task_without_harm_to_the_owner() -> None:
    async with process.attach() as me:
        task = Task.async_(forever)

        assert await Task.shutdown(task) is None

        assert not process.is_alive(task.pid)
        info = process.info(me)
        assert (info.links, info.monitors, info.message_queue_len) == ((), (), 0)


async def test_shutdown_waits_until_the_task_has_cleaned_up() -> None:
    async with process.attach():
        done = []

        async def clean_up() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.001)
                done.append("cleaned up")

        task = Task.async_(clean_up)
        await asyncio.sleep(0)

        assert await Task.shutdown(task) is None

        assert done == ["cleaned up"]


async def test_shutdown_gives_an_answer_that_is_there_already(settle) -> None:
    async with process.attach() as me:
        task = Task.async_(answer)
        await settle()

        assert await Task.shutdown(task) == Ok("answer")

        assert process.info(me).message_queue_len == 0


async def test_shutdown_gives_an_answer_that_comes_meanwhile(settle) -> None:
    async with process.attach():
        gate = asyncio.Event()
        task = Task.async_(obstinate, gate)
        await settle()
        asyncio.get_running_loop().call_soon(gate.set)

        assert await Task.shutdown(task) == Ok("after all")


@on_virtual_clock
async def test_shutdown_is_an_exit_message_for_a_task_that_traps() -> None:
    log: list[object] = []
    task = Task.async_(trap, log)
    await asyncio.sleep(1.0)  # it traps now

    assert await Task.shutdown(task, timeout=5.0) == Exited("killed")

    assert log == [Exit(process.current(), "shutdown")]


async def test_brutal_kill_ends_a_task_that_traps(settle) -> None:
    async with process.attach():
        task = Task.async_(obstinate, asyncio.Event())
        await settle()

        assert await Task.shutdown(task, "brutal_kill") is None

        assert not process.is_alive(task.pid)


@pytest.mark.parametrize(
    ("reason", "how", "expected"),
    [
        ("shutdown", 5.0, None),
        ("shutdown", "brutal_kill", Exited("shutdown")),
        ("killed", 5.0, Exited("killed")),
        ("killed", "brutal_kill", None),
        ("normal", 5.0, Exited("normal")),
        ("odd", "brutal_kill", Exited("odd")),
    ],
)
async def test_shutdown_of_a_dead_task_tells_how_it_died(settle, reason, how, expected) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        task = Task.async_(leave, reason)
        await settle()

        assert await Task.shutdown(task, how) == expected


async def test_shutdown_of_a_task_that_was_asked_before_gives_noproc() -> None:
    async with process.attach():
        task = Task.async_(answer)
        await Task.await_(task)

        assert await Task.shutdown(task) == Exited("noproc")


async def test_shutdown_ends_a_task_whose_await_timed_out() -> None:
    async with process.attach():
        task = Task.async_(forever)
        with pytest.raises(CallTimeoutError):
            await Task.await_(task, timeout=0)

        assert await Task.shutdown(task) is None

        assert not process.is_alive(task.pid)


async def test_shutdown_waits_for_a_task_that_is_unwinding_already(settle) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        gate = asyncio.Event()

        async def clean_up() -> None:
            try:
                await forever()
            finally:
                await gate.wait()

        task = Task.async_(clean_up)
        await settle()
        process.exit(task.pid, "odd")
        asyncio.get_running_loop().call_soon(gate.set)

        assert await Task.shutdown(task) == Exited("odd")


async def test_completed_task_has_nothing_to_shut_down() -> None:
    async with process.attach():
        with pytest.raises(ValueError, match="no process to shut down"):
            await Task.shutdown(await Task.completed(1))


async def test_bad_timeout_of_shutdown_is_refused() -> None:
    async with process.attach():
        task = Task.async_(forever)

        with pytest.raises(TypeError, match="timeout must be a number"):
            await Task.shutdown(task, "kill")  # type: ignore[arg-type]

        await Task.shutdown(task)


# -- ignore


async def test_ignored_task_goes_on_unheard(settle) -> None:
    async with process.attach() as me:
        gate = asyncio.Event()
        task = Task.async_(gate.wait)

        assert await Task.ignore(task) is None

        ref = process.monitor(task.pid)
        gate.set()
        assert await process.receive(timeout=50) == Down(ref, task.pid, "normal")
        info = process.info(me)
        assert (info.links, info.monitors, info.message_queue_len) == ((), (), 0)


async def test_failure_of_an_ignored_task_does_no_harm() -> None:
    async with process.attach():
        gate = asyncio.Event()

        async def fail() -> None:
            await gate.wait()
            raise ValueError

        task = Task.async_(fail)
        await Task.ignore(task)
        ref = process.monitor(task.pid)

        gate.set()

        assert (await process.receive(timeout=50)).ref is ref


@pytest.mark.parametrize(
    ("fn", "expected"), [(answer, Ok("x")), (leave, Exited("x"))], ids=["answer", "exit"]
)
async def test_ignore_gives_what_is_there_already(settle, fn, expected) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        task = Task.async_(fn, "x")
        await settle()

        assert await Task.ignore(task) == expected

        with pytest.raises(CallTimeoutError):
            await Task.await_(task, timeout=0)
