"""A stream of tasks: one for each element of an input, with bounded concurrency."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from beamish import _checks
from beamish._runtime import one_or_many
from beamish._server.requests import describe
from beamish._task.answer import Answer, caller
from beamish._task.function import FunctionProcess, ResultListener, check_function, name_of
from beamish._task.source import END, PENDING, StreamSource, check_iterable
from beamish.errors import CallTimeoutError, ExitError
from beamish.pid import Pid
from beamish.results import Exited, Ok

OnTimeout: TypeAlias = Literal["exit", "kill_task"]
Elements: TypeAlias = Iterable[Any] | AsyncIterable[Any]
Starter: TypeAlias = Callable[
    [Callable[..., Any], tuple[Any, ...], ResultListener], FunctionProcess
]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The checked options of a stream."""

    max_concurrency: int
    ordered: bool
    timeout: float | None
    on_timeout: OnTimeout
    linked: bool


def stream(
    start: Starter,
    elements: Elements,
    fn: Callable[..., Any],
    *,
    linked: bool,
    max_concurrency: int | None = None,
    ordered: bool = True,
    timeout: float | None = 5.0,
    on_timeout: OnTimeout = "exit",
) -> AsyncGenerator[Any, None]:
    """Check the options of a stream and return it; tasks start when it is iterated over."""
    check_function(fn)
    check_iterable(elements)
    if max_concurrency is None:
        max_concurrency = os.cpu_count() or 1
    _checks.count("max_concurrency", max_concurrency, minimum=1)
    _checks.one_of("ordered", ordered, (True, False))
    _checks.timeout(timeout)
    _checks.one_of("on_timeout", on_timeout, ("exit", "kill_task"))
    options = StreamOptions(max_concurrency, ordered, timeout, on_timeout, linked)
    return Stream(start, elements, fn, options).answers()


class _Slot:
    """One element and its task."""

    __slots__ = ("answer", "args", "done", "stream", "task", "timed_out", "timer")

    def __init__(self, stream: "Stream", args: tuple[Any, ...]) -> None:
        self.stream = stream
        self.args = args
        self.answer: Answer | None = None
        self.done = False
        self.timed_out = False
        self.task: FunctionProcess
        self.timer: Any = None

    def replied(self, value: Any) -> None:
        self.answer = Ok(value)

    def died(self, pid: Pid, reason: Any) -> None:
        if self.answer is None:
            self.answer = Exited("timeout" if self.timed_out else reason)
        self.done = True
        self.stream.task_died(self, pid, reason)


class Stream:
    """One run of a stream, owned by the iterating process."""

    def __init__(
        self, start: Starter, elements: Elements, fn: Callable[..., Any], options: StreamOptions
    ) -> None:
        self._start_task = start
        self._fn = fn
        self._options = options
        self._elements = elements
        self._failure: Exception | None = None
        self._bell: asyncio.Future[None] | None = None
        self._running: dict[_Slot, None] = {}
        self._line: deque[_Slot] = deque()  # in the order in which results are yielded

    async def answers(self) -> AsyncGenerator[Any, None]:
        """Yield the results; when the consumer stops, kill the running tasks."""
        self._owner = caller()
        self._source = StreamSource(self._elements, self._ring)
        self._owner.watchers = one_or_many.add(self._owner.watchers, self)
        try:
            while (answer := await self._next_answer()) is not None:
                yield answer
        finally:
            await self._close()

    async def _next_answer(self) -> Answer | None:
        """Wait for the next result; return ``None`` after the last."""
        runtime = self._owner.runtime
        while True:
            if not runtime.spend_budget():
                await runtime.yield_to_loop()
            if self._failure is not None:
                raise self._failure
            if self._line and self._line[0].done:
                return self._line.popleft().answer
            # One start per round: results must not pile up for a slow consumer.
            if self._start_another():
                continue
            if not self._running and self._source.exhausted:
                return None
            await self._change()

    # -- Starting

    def _start_another(self) -> bool:
        """Start a task if the concurrency allows it and an element is available."""
        if self._source.exhausted or len(self._running) >= self._options.max_concurrency:
            return False
        element = self._source.take()
        if element is PENDING or element is END:
            return False
        self._start(element)
        return True

    def _start(self, element: Any) -> None:
        slot = _Slot(self, (element,))
        task = slot.task = self._start_task(self._fn, slot.args, slot)
        task.watchers = one_or_many.add(task.watchers, slot)
        if self._options.linked:
            self._owner.link(task.pid)
        if self._options.timeout is not None:
            timers = self._owner.runtime.timers
            slot.timer = timers.after(self._options.timeout, lambda: self._expire(slot))
        self._running[slot] = None
        if self._options.ordered:
            self._line.append(slot)

    # -- Ends of tasks

    def task_died(self, slot: _Slot, pid: Pid, reason: Any) -> None:
        """Handle the death of a task, with or without a result."""
        del self._running[slot]
        if slot.timer is not None:
            self._owner.runtime.timers.cancel(slot.timer)
        normal = isinstance(reason, str) and reason == "normal"
        if self._owner.trap_exit or normal:
            self._owner.unlink(pid)  # the owner gets the result and must get no Exit message
        if not self._options.ordered:
            self._line.append(slot)
        self._ring()

    def _expire(self, slot: _Slot) -> None:
        slot.timer, slot.timed_out = None, True
        self._kill(slot)
        if self._options.on_timeout == "exit":
            request = describe(name_of(self._fn), slot.args)
            seconds = self._options.timeout or 0.0
            self._fail(CallTimeoutError(slot.task.pid, request, seconds))

    def _kill(self, slot: _Slot) -> None:
        self._owner.unlink(slot.task.pid)
        slot.task.reported = True  # not a crash, so its supervisor must not log it
        slot.task.kill("killed")

    def died(self, pid: Pid, reason: Any) -> None:
        """Kill the tasks because the owner died."""
        self._fail(ExitError(reason, pid))
        for slot in tuple(self._running):
            self._kill(slot)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._ring()

    # -- Waiting and the end

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _change(self) -> None:
        """Wait for the next change."""
        self._bell = self._owner.runtime.loop.create_future()
        await self._bell

    async def _close(self) -> None:
        self._owner.watchers = one_or_many.remove(self._owner.watchers, self)
        for slot in tuple(self._running):
            self._kill(slot)
        try:
            await self._source.close()
        finally:  # closing runs code of the input, which can raise
            while self._running:
                await self._change()
