"""The process of a task: it runs one function and reports the result."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from beamish._runtime.runtime import Runtime, running
from beamish._runtime.tasks import SpawnedProcess, failure
from beamish._server.requests import describe
from beamish.pid import Pid

_log = logging.getLogger("beamish")


class ResultListener(Protocol):
    """Receives the result of a task just before its process ends."""

    def replied(self, value: Any) -> None:
        """Handle the return of ``value`` by the task."""


class FunctionProcess(SpawnedProcess):
    """The process of one task."""

    __slots__ = ("_call", "_listener")

    def __init__(
        self,
        runtime: Runtime,
        parent: Pid | None,
        call: tuple[str, tuple[Any, ...]],
        listener: ResultListener | None,
    ) -> None:
        super().__init__(runtime, parent, call[0])
        self._call = call
        self._listener = listener

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Report the result of the function, then end the process."""
        if self._listener is not None and not self.is_killed and failure(task) is None:
            self._listener.replied(task.result())
        super().ended(task)

    def title(self) -> str:
        """Return the title of the task's crash report."""
        return f"task {self.pid!r} {describe(*self._call)}"


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    parent: Pid | None,
    listener: ResultListener | None = None,
) -> FunctionProcess:
    """Start the process of a task, in a copy of the current context.

    Args:
        fn: An async or plain function; both run in the new process.
        args: The arguments of ``fn``.
        parent: The parent shown by `process.info`.
        listener: Receives the result.

    Raises:
        TypeError: ``fn`` is not a function, or is async and does not accept ``args``.
    """
    check_function(fn)
    runtime = running()
    coroutine = fn(*args) if inspect.iscoroutinefunction(fn) else _run(fn, args)
    process = FunctionProcess(runtime, parent, (name_of(fn), args), listener)
    process.run(coroutine)
    return process


async def _run(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = fn(*args)
    return await result if inspect.isawaitable(result) else result


def check_function(fn: object) -> None:
    """Raise `TypeError` if ``fn`` is not a function; a coroutine is the usual mistake."""
    if callable(fn):
        return
    if isinstance(fn, Coroutine):
        fn.close()
    raise TypeError(
        f"a task runs a function, given with its arguments as in async_(fetch, url); got {fn!r}"
    )


def name_of(fn: Callable[..., Any]) -> str:
    """Return the name of a function, as `process.info` shows it."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return getattr(fn, "__qualname__", None) or type(fn).__qualname__
