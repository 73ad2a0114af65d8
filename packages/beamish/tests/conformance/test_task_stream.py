"""``async_stream`` of ``Task`` and ``TaskSupervisor``, and ``async_stream_nolink``.

Sources: Elixir ``Task.async_stream/3``, ``/5``; ``Task.Supervisor.async_stream/4``,
``async_stream_nolink/4``.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from beamish import (
    Ok,
    TaskSupervisor,
    process,
)

from .task_support import (
    SUP,
    Gates,
    attached,
    collect,
    each_stream,
    forever,
    oks,
    times_ten,
)

# -- Answers


@pytest.mark.parametrize("max_concurrency", [1, 3, 8, None])
@each_stream
async def test_answers_come_in_the_order_of_the_elements(stream, max_concurrency) -> None:
    async with attached():
        answers = await collect(stream(range(6), times_ten, max_concurrency=max_concurrency))

        assert answers == oks(0, 1, 2, 3, 4, 5)


@each_stream
async def test_slow_first_element_holds_up_answers_but_not_tasks(stream, settle) -> None:
    async with attached():
        gates = Gates(1, 2, 3)
        answers = asyncio.create_task(collect(stream(range(4), gates, max_concurrency=2)))
        await settle()
        assert gates.started == [0, 1, 2, 3]
        assert not answers.done()

        gates.open(0)

        assert await answers == oks(0, 1, 2, 3)


@each_stream
async def test_unordered_answers_come_as_tasks_end(stream, settle) -> None:
    async with attached():
        gates = Gates(2)
        found = []
        async for answer in stream(range(3), gates, max_concurrency=3, ordered=False):
            found.append(answer)
            gates.open(2 - len(found))

        assert found == oks(2, 1, 0)


@each_stream
async def test_empty_input_gives_no_answers(stream) -> None:
    async with attached():
        assert await collect(stream([], times_ten)) == []


@each_stream
async def test_plain_function_is_allowed(stream) -> None:
    async with attached():
        assert await collect(stream(["a"], str.upper)) == [Ok("A")]


async def test_supervised_tasks_are_children_of_the_supervisor(settle) -> None:
    async with attached():
        gates = Gates()
        answers = asyncio.create_task(
            collect(TaskSupervisor.async_stream_nolink(SUP, range(2), gates, max_concurrency=2))
        )
        await settle()

        children = await TaskSupervisor.children(SUP)

        assert len(children) == 2
        assert process.info(children[0]).parent == process.whereis(SUP)
        gates.open(0, 1)
        assert await answers == oks(0, 1)


# -- Back-pressure


@each_stream
async def test_at_most_max_concurrency_tasks_run_at_a_time(stream, settle) -> None:
    async with attached():
        gates = Gates()
        answers = asyncio.create_task(collect(stream(range(5), gates, max_concurrency=2)))
        await settle()
        assert gates.started == [0, 1]

        gates.open(1)
        await settle()
        assert gates.started == [0, 1, 2]

        gates.open(0, 2, 3, 4)
        assert await answers == oks(0, 1, 2, 3, 4)


@each_stream
async def test_input_is_taken_only_as_far_as_tasks_may_start(stream, settle) -> None:
    async with attached():
        taken = []

        def numbers() -> Iterator[int]:
            for number in range(100):
                taken.append(number)
                yield number

        async with aclosing(stream(numbers(), times_ten, max_concurrency=3)) as answers:
            assert taken == []
            await anext(answers)
            await settle()

            assert len(taken) <= 4


@each_stream
async def test_endless_input_is_streamed(stream) -> None:
    async with attached():

        def numbers() -> Iterator[int]:
            number = 0
            while True:
                yield number
                number += 1

        found = []
        async with aclosing(stream(numbers(), times_ten, max_concurrency=4)) as answers:
            async for answer in answers:
                found.append(answer)
                if len(found) == 50:
                    break

        assert found == oks(*range(50))


@each_stream
async def test_stream_of_quick_tasks_lets_others_run(stream) -> None:
    async with attached():
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        other = asyncio.create_task(count_turns())
        await collect(stream(range(5000), lambda _: None, max_concurrency=5000))
        other.cancel()

        assert turns > 5


# -- Async input


@each_stream
async def test_input_may_be_async(stream) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0)
            yield number

    async with attached():
        answers = await collect(stream(numbers(), times_ten, max_concurrency=2))

        assert answers == oks(0, 1, 2, 3, 4)


@each_stream
async def test_answers_do_not_wait_for_a_slow_input(stream) -> None:
    async with attached():
        more = asyncio.Event()

        async def numbers() -> AsyncIterator[int]:
            yield 1
            await more.wait()
            yield 2

        async with aclosing(stream(numbers(), times_ten, max_concurrency=2)) as answers:
            assert await anext(answers) == Ok(10)
            more.set()
            assert await anext(answers) == Ok(20)
            with pytest.raises(StopAsyncIteration):
                await anext(answers)


@each_stream
async def test_async_input_is_closed_when_the_consumer_stops(stream) -> None:
    async with attached():
        closed = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                closed.append(True)

        async with aclosing(stream(numbers(), times_ten, max_concurrency=2)) as answers:
            await anext(answers)

        assert closed == [True]


@pytest.mark.parametrize("kind", ["sync", "async"])
@each_stream
async def test_error_of_the_input_reaches_the_consumer(stream, kind) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise KeyError("input")

    async def async_numbers() -> AsyncIterator[int]:
        for number in numbers():
            yield number

    async with attached():
        elements = numbers() if kind == "sync" else async_numbers()

        with pytest.raises(KeyError, match="input"):
            await collect(stream(elements, forever, max_concurrency=2))
