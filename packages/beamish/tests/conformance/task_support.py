"""What the tests of streams of tasks share."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from beamish import (
    Ok,
    Task,
    TaskSupervisor,
    process,
)

SUP = "task supervisor"


class Gates:
    """A function for streams: each element waits at a gate of its own."""

    def __init__(self, *open_: int) -> None:
        self.started: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        for element in open_:
            self.open(element)

    def _gate(self, element: int) -> asyncio.Event:
        return self.gates.setdefault(element, asyncio.Event())

    def open(self, *elements: int) -> None:
        for element in elements:
            self._gate(element).set()

    async def __call__(self, element: int) -> int:
        self.started.append(element)
        await self._gate(element).wait()
        return element * 10


async def times_ten(element: int) -> int:
    await asyncio.sleep(0)
    return element * 10


async def fail_odd(element: int) -> int:
    if element % 2:
        raise ValueError(element)
    return element


async def forever(element: object) -> None:
    await asyncio.Event().wait()


async def collect(stream: AsyncIterator[Any]) -> list[Any]:
    return [answer async for answer in stream]


def oks(*elements: int) -> list[Ok[int]]:
    return [Ok(element * 10) for element in elements]


each_stream = pytest.mark.parametrize(
    "stream",
    [
        Task.async_stream,
        functools.partial(TaskSupervisor.async_stream, SUP),
        functools.partial(TaskSupervisor.async_stream_nolink, SUP),
    ],
    ids=["Task", "supervised", "supervised, unlinked"],
)
"""Run a test with each kind of stream; those that need it find a supervisor under `SUP`."""


@asynccontextmanager
async def attached() -> AsyncIterator[None]:
    """Make the test a process beside a task supervisor; nothing of any task may be left."""
    async with process.attach() as me:
        await TaskSupervisor.start_link(name=SUP)
        yield
        await TaskSupervisor.stop(SUP)
        info = process.info(me)
        assert (info.links, info.monitored_by, info.message_queue_len) == ((), (), 0)
        assert process.processes() == [me]
