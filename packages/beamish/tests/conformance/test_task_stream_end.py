"""How streams of tasks end: failures, time limits, and consumers that stop.

Sources: Elixir ``Task.async_stream/3``, ``/5``; ``Task.Supervisor.async_stream/4``,
``async_stream_nolink/4``.
"""

import asyncio
import functools
import logging
from contextlib import aclosing
from typing import Any

import pytest

from beamish import (
    CallTimeoutError,
    Exited,
    ExitError,
    GenServer,
    MaxChildrenError,
    NoProcessError,
    Ok,
    Task,
    TaskSupervisor,
    call,
    process,
)

from .task_support import (
    SUP,
    Gates,
    attached,
    collect,
    each_stream,
    fail_odd,
    forever,
    oks,
    times_ten,
)
from .virtual_time import on_virtual_clock

# -- Failure


async def test_failures_of_unlinked_tasks_are_answers() -> None:
    async with attached():
        found = await collect(TaskSupervisor.async_stream_nolink(SUP, range(4), fail_odd))

        assert [type(answer) for answer in found] == [Ok, Exited, Ok, Exited]
        assert isinstance(found[1].reason, ValueError)


@pytest.mark.parametrize("kind", ["Task", "supervised"])
async def test_failure_of_a_linked_task_takes_the_consumer_along(kind) -> None:
    with pytest.raises(ExitError) as failure:
        async with process.attach():
            sup = await TaskSupervisor.start_link()
            start = Task.async_stream
            if kind == "supervised":
                start = functools.partial(TaskSupervisor.async_stream, sup)
            await collect(start([1, 2], fail_odd, max_concurrency=1))

    assert isinstance(failure.value.__cause__, ValueError)


@each_stream
async def test_failures_are_answers_for_a_consumer_that_traps_exits(stream) -> None:
    async with attached():
        process.flag(trap_exit=True)

        found = await collect(stream(range(4), fail_odd))

        process.flag(trap_exit=False)
        assert [type(answer) for answer in found] == [Ok, Exited, Ok, Exited]


async def test_too_many_tasks_for_the_supervisor_end_the_stream() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link(max_children=1)

        for start in (TaskSupervisor.async_stream, TaskSupervisor.async_stream_nolink):
            with pytest.raises(MaxChildrenError):
                await collect(start(sup, range(3), forever, max_concurrency=2))

        assert await TaskSupervisor.children(sup) == []
        await TaskSupervisor.stop(sup)


# -- Time


@each_stream
async def test_task_that_takes_too_long_ends_the_stream(stream) -> None:
    async with attached():
        with pytest.raises(CallTimeoutError, match=r"forever\('x'\) within 0\.001 s"):
            await collect(stream(["x", "y"], forever, timeout=0.001))


@each_stream
@on_virtual_clock
async def test_task_that_takes_too_long_can_be_killed_alone(stream, caplog) -> None:
    async with attached():
        gates = Gates(1, 3)
        options = {"max_concurrency": 4, "timeout": 10, "on_timeout": "kill_task"}

        answers = await collect(stream(range(4), gates, **options))

        late = Exited("timeout")
        assert answers == [late, Ok(10), late, Ok(30)]
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@each_stream
async def test_no_timeout_waits(stream, settle) -> None:
    async with attached():
        gates = Gates()
        answers = asyncio.create_task(collect(stream([1], gates, timeout=None)))
        await settle()

        gates.open(1)

        assert await answers == oks(1)


# -- The end


@each_stream
async def test_consumer_that_stops_early_leaves_no_task_behind(stream, caplog) -> None:
    async with attached():
        gates = Gates(0)

        async with aclosing(stream(range(9), gates, max_concurrency=3)) as answers:
            assert await anext(answers) == Ok(0)

        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@each_stream
async def test_break_leaves_no_task_behind_either(stream, settle) -> None:
    async with attached():
        async for answer in stream(range(9), Gates(0), max_concurrency=3):
            assert answer == Ok(0)
            break

        await settle()


@each_stream
async def test_exception_of_the_consumer_leaves_no_task_behind(stream, settle) -> None:
    async with attached():
        with pytest.raises(KeyError):
            async for _ in stream(range(9), Gates(0), max_concurrency=3):
                raise KeyError

        await settle()


@each_stream
async def test_cancelled_consumer_leaves_no_task_behind(stream, settle) -> None:
    async with attached():
        consumer = asyncio.create_task(collect(stream(range(3), forever, max_concurrency=3)))
        await settle()

        consumer.cancel()

        with pytest.raises(asyncio.CancelledError):
            await consumer


@pytest.mark.parametrize("reason", ["normal", "kill", "odd"])
@each_stream
async def test_tasks_die_with_the_process_that_consumes(stream, settle, reason) -> None:
    async with attached():
        me = process.current()

        async def consume() -> None:
            answers = stream(range(9), Gates(0), max_concurrency=3)
            process.send(me, (await anext(answers), answers))
            if reason != "normal":
                await forever(None)

        pid, ref = process.spawn_monitor(consume)
        answer, answers = await process.receive(timeout=50)
        assert answer == Ok(0)
        process.exit(pid, reason)
        assert (await process.receive(timeout=50)).ref is ref
        await settle()

        assert await TaskSupervisor.children(SUP) == []
        with pytest.raises(ExitError):
            await anext(answers)


@each_stream
async def test_another_process_may_consume(stream) -> None:
    async with attached():
        answers = stream(range(3), times_ten)

        found = await Task.await_(Task.async_(collect, answers))

        assert found == oks(0, 1, 2)


@each_stream
async def test_consumer_outside_any_process_is_refused(stream) -> None:
    with pytest.raises(NoProcessError):
        await collect(stream([1], times_ten))


@each_stream
async def test_stream_that_nobody_consumes_starts_nothing(stream) -> None:
    async with attached():
        answers = stream(range(3), times_ten)

        await answers.aclose()


class Consumer(GenServer):
    @call
    async def sum(self, count: int) -> int:
        return sum([answer.value async for answer in Task.async_stream(range(count), times_ten)])


async def test_server_may_consume_in_an_async_callback() -> None:
    server = await Consumer.start()

    assert await Consumer.sum(server, 5) == 100

    assert process.info(server).message_queue_len == 0
    await GenServer.stop(server)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_concurrency": 0}, ValueError),
        ({"max_concurrency": 1.5}, ValueError),
        ({"ordered": "yes"}, ValueError),
        ({"timeout": "soon"}, TypeError),
        ({"timeout": -1}, ValueError),
        ({"on_timeout": "kill"}, ValueError),
    ],
)
@each_stream
def test_bad_option_is_refused_at_once(stream, options: dict[str, Any], error) -> None:
    with pytest.raises(error, match=next(iter(options))):
        stream([1], times_ten, **options)


@each_stream
def test_bad_function_or_input_is_refused_at_once(stream) -> None:
    with pytest.raises(TypeError, match="a stream needs an iterable"):
        stream(3, times_ten)
    with pytest.raises(TypeError, match="a task runs a function"):
        stream([3], "times_ten")
