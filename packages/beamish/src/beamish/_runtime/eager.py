"""Run a coroutine up to its first suspension at once, and the rest of it, if any, in a task.

A supervisor whose children start without suspending has thus started before the next statement
runs, and needs no task.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from beamish._runtime.runtime import running
from beamish._runtime.tasks import failure


@dataclass(slots=True)
class Outcome:
    """The result of a coroutine that never suspended."""

    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


def step(
    coroutine: Coroutine[Any, Any, Any], context: Context, loop: asyncio.AbstractEventLoop
) -> Outcome | asyncio.Task[Any]:
    """Run ``coroutine`` until it first suspends; return its outcome, or the task that runs it on.

    Only for coroutines that do not use ``asyncio.current_task()`` before they first suspend: until
    then the current task is their caller's.
    """
    steps = _Steps()
    steps.begin(lambda: coroutine, context)
    return steps.outcome or asyncio.Task(steps, loop=loop, context=context)


def step_as_task(
    function: Callable[[], Coroutine[Any, Any, Any]],
    context: Context,
    loop: asyncio.AbstractEventLoop,
) -> Outcome | asyncio.Task[Any]:
    """Run any coroutine as `step` does, with its own task as the current task from the start.

    ``function`` returns the coroutine; it is called within that task.
    """
    steps = _Steps()
    task = asyncio.Task(steps, loop=loop, context=context)
    outside = asyncio.current_task(loop)
    # The functions that asyncio documents for other implementations of tasks.
    if outside is not None:
        asyncio.tasks._leave_task(loop, outside)
    asyncio.tasks._enter_task(loop, task)
    try:
        steps.begin(function, context)
    finally:
        asyncio.tasks._leave_task(loop, task)
        if outside is not None:
            asyncio.tasks._enter_task(loop, outside)
    return steps.outcome or task


async def in_own_task(function: Callable[[], Coroutine[Any, Any, Any]]) -> Outcome:
    """Run code of users in its own task, starting at once; return its outcome.

    If the caller is cancelled meanwhile, cancels that task too and waits until it has ended. A
    result that it has nevertheless is returned: it can be a process, which must not be lost.
    """
    step = step_as_task(function, copy_context(), running().loop)
    if isinstance(step, Outcome):
        return step
    try:
        await asyncio.wait([step])
    except asyncio.CancelledError:
        step.cancel()
        await asyncio.wait([step])
        if failure(step) is not None:
            raise
    error = failure(step)
    return Outcome(error=error) if error is not None else Outcome(step.result())


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine whose first step runs before the task that runs the other steps."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._waits_for: Any = None
        self._resumed = False

    def begin(self, function: Callable[[], Coroutine[Any, Any, Any]], context: Context) -> None:
        """Run the first step; if the coroutine ends in it, set ``outcome``."""
        try:
            self._coroutine = context.run(function)
            self._waits_for = context.run(self._coroutine.send, None)
        except StopIteration as stop:
            self.outcome = Outcome(stop.value)
        except BaseException as error:
            self.outcome = Outcome(error=error)
            running().exit_program(error)  # as an asyncio task would, in whose place this runs

    def send(self, value: Any) -> Any:
        """Yield what the first step waits for, then resume the coroutine at each call."""
        if self._coroutine is None or self.outcome is not None:
            raise StopIteration  # the caller of `begin` has the outcome
        if not self._resumed:
            self._resumed = True
            return self._waits_for
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise in the coroutine, also when it is cancelled before its second step."""
        if self._coroutine is None or self.outcome is not None:
            raise StopIteration
        if not self._resumed:
            self._resumed = True
            if isinstance(self._waits_for, asyncio.Future):
                # Cancelling a task cancels the future that it waits for. The task has not got
                # this future from `send` yet, so it cannot do that itself.
                self._waits_for.cancel()
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Close the coroutine."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise TypeError("run it in a task")
