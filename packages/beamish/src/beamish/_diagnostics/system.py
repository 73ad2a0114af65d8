"""Requests that a server handles between two messages: ``stop`` and those of `debug`."""

import asyncio
from collections.abc import Callable
from typing import Any

from beamish._diagnostics import stuck
from beamish._runtime.names import process_of
from beamish._runtime.process import OnDeath, Process
from beamish._runtime.runtime import running
from beamish.errors import CallingSelfError, CallTimeoutError, ExitError, NoProcessError
from beamish.pid import Dest
from beamish.results import Stop


class _FunctionRequest:
    """A request to run a function on the process and set its result on a future."""

    def __init__(self, function: Callable[[Any], Any], answer: asyncio.Future[Any]) -> None:
        self._function = function
        self._answer = answer

    def run(self, process: Any) -> None:
        if self._answer.done():
            return  # the request has timed out, or its caller was cancelled
        try:
            self._answer.set_result(self._function(process))
        except Exception as error:
            self._answer.set_exception(error)


class StopRequest:
    """The request of ``GenServer.stop``.

    Args:
        reason: The exit reason.
    """

    def __init__(self, reason: Any) -> None:
        self.reason = reason

    def run(self, _: Any) -> Stop:
        """Stop the server."""
        return Stop(self.reason)


async def ask(dest: Dest, function: Callable[[Any], Any], what: str, timeout: float | None) -> Any:
    """Run ``function(process)`` in the server at ``dest`` between two of its messages.

    Args:
        dest: Pid, name or via name of the server.
        function: Its result is returned, its exception raised.
        what: The request as error messages show it.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        CallTimeoutError: The server did not run it in time; the message says where it is stuck.
        ExitError: The server exited first.
        NoProcessError: There is no such process.
    """
    process = await _other_process(dest)
    answer = process.runtime.loop.create_future()
    watch = OnDeath(lambda _, reason: _fail(answer, ExitError(reason, dest)))
    process.watch(watch)
    try:
        process.system(_FunctionRequest(function, answer))
        return await _within(answer, process, dest, what, timeout)
    finally:
        process.unwatch(watch)


async def stop(dest: Dest, reason: Any, timeout: float | None) -> None:
    """Stop the server at ``dest`` and wait until it is dead."""
    process = await _other_process(dest)
    death = process.runtime.loop.create_future()
    watch = OnDeath(lambda _, actual: _set(death, actual))
    process.watch(watch)
    try:
        process.system(StopRequest(reason))
        await process.runtime.notice_interruption()
        actual = await _within(death, process, dest, "stop()", timeout)
    finally:
        process.unwatch(watch)
    if not _same(actual, reason):
        raise ExitError(actual, dest)


def _same(actual: Any, reason: Any) -> bool:
    try:
        return actual is reason or bool(actual == reason)
    except Exception:  # a reason can be any object, whose == can raise anything
        return False


async def _other_process(dest: Dest) -> Process:
    runtime = running()
    if not runtime.spend_budget():
        await runtime.yield_to_loop()
    process: Process = process_of(dest)
    if not process.runtime.check_loop():
        raise NoProcessError(dest)
    if process.task is not None and asyncio.current_task() is process.task:
        raise CallingSelfError(dest)
    return process


async def _within(
    answer: asyncio.Future[Any], process: Process, dest: Dest, what: str, timeout: float | None
) -> Any:
    def expire() -> None:
        place = stuck.place(process)
        shown = what if place is None else f"{what} (it is {place})"
        _fail(answer, CallTimeoutError(dest, shown, timeout or 0.0, process.queue_length()))

    timer = None if timeout is None else process.runtime.timers.after(timeout, expire)
    try:
        return await answer
    finally:
        if timer is not None:
            process.runtime.timers.cancel(timer)


def _set(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
