"""The input of a stream: what the stream has opened is closed as soon as it is left.

Source: Elixir ``Task.async_stream/3``, which halts the enumerable when the stream is halted.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from beamish import Ok

from .task_support import Gates, attached, each_stream, times_ten


class Input:
    """A generator that others hold, too, and what became of it."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.closed = False
        self.error = error

    def plain(self) -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            self.closed = True
            if self.error is not None:
                raise self.error

    async def later(self) -> AsyncIterator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            self.closed = True
            if self.error is not None:
                raise self.error


def made(source: Input, kind: str) -> Any:
    return source.plain() if kind == "plain" else source.later()


kinds = pytest.mark.parametrize("kind", ["plain", "async"])


@kinds
@each_stream
async def test_generator_is_closed_when_the_stream_is_closed(stream, kind) -> None:
    async with attached():
        source = Input()
        elements = made(source, kind)

        async with aclosing(stream(elements, Gates(0), max_concurrency=3)) as answers:
            assert await anext(answers) == Ok(0)
            assert not source.closed

        assert source.closed


@kinds
@each_stream
async def test_generator_is_closed_when_a_task_takes_too_long(stream, kind) -> None:
    async with attached():
        source = Input()
        elements = made(source, kind)

        with pytest.raises(TimeoutError):
            async for _ in stream(elements, Gates(), max_concurrency=3, timeout=0.001):
                pass

        assert source.closed


@kinds
@each_stream
async def test_tasks_have_ended_when_the_clean_up_of_the_generator_raises(stream, kind) -> None:
    async with attached():
        source = Input(error=KeyError("clean up"))
        elements = made(source, kind)
        working: set[int] = set()

        async def work(number: int) -> int:
            if number == 0:
                while not working:
                    await asyncio.sleep(0)
                return number
            working.add(number)
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(5):
                    await asyncio.sleep(0)
                working.remove(number)

        with pytest.raises(KeyError, match="clean up"):
            async with aclosing(stream(elements, work, max_concurrency=3)) as answers:
                assert await anext(answers) == Ok(0)

        assert working == set()


class Numbers:
    """An iterator with a ``close`` of its own, as files have."""

    def __init__(self) -> None:
        self.closed = False
        self._numbers = iter(range(9))

    def __iter__(self) -> "Numbers":
        return self

    def __next__(self) -> int:
        return next(self._numbers)

    def close(self) -> None:
        self.closed = True


class NumbersLater:
    """The same as an async iterator, as connections have."""

    def __init__(self) -> None:
        self.closed = False
        self._numbers = iter(range(9))

    def __aiter__(self) -> "NumbersLater":
        return self

    async def __anext__(self) -> int:
        return next(self._numbers)

    async def aclose(self) -> None:
        self.closed = True


class Table:
    """An iterable that opens ``numbers`` when it is iterated over."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def __iter__(self) -> Numbers:
        return self._numbers


class TableLater:
    """The same as an async iterable."""

    def __init__(self, numbers: NumbersLater) -> None:
        self._numbers = numbers

    def __aiter__(self) -> NumbersLater:
        return self._numbers


def opener(kind: str) -> tuple[Any, Any]:
    """Return an iterator and an iterable that opens it."""
    if kind == "plain":
        numbers = Numbers()
        return numbers, Table(numbers)
    later = NumbersLater()
    return later, TableLater(later)


@kinds
@each_stream
async def test_iterator_that_the_caller_has_opened_is_left_open(stream, kind) -> None:
    async with attached():
        numbers, _ = opener(kind)

        async with aclosing(stream(numbers, times_ten, max_concurrency=1)) as answers:
            assert await anext(answers) == Ok(0)

        assert not numbers.closed


@kinds
@each_stream
async def test_iterator_that_the_stream_has_opened_is_closed(stream, kind) -> None:
    async with attached():
        numbers, table = opener(kind)

        async with aclosing(stream(table, times_ten, max_concurrency=1)) as answers:
            assert await anext(answers) == Ok(0)
            assert not numbers.closed

        assert numbers.closed


@each_stream
async def test_input_without_a_close_is_left_as_it_is(stream) -> None:
    async with attached(), aclosing(stream([1, 2, 3], times_ten, max_concurrency=1)) as answers:
        assert await anext(answers) == Ok(10)
