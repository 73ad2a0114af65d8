"""Run the first step of a coroutine at once, and the rest of it, if any, in a task.

So a supervisor whose children start without waiting is done before the next statement runs,
and no task is made for it.
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
    """How a coroutine ended that never had to wait."""

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
    """Run ``coroutine`` until it first waits; give its outcome, or the task that goes on.

    Only for coroutines that do not ask for ``asyncio.current_task()`` before they first wait:
    they would see their caller's.
    """
    steps = _Steps()
    steps.begin(lambda: coroutine, context)
    return steps.outcome or asyncio.Task(steps, loop=loop, context=context)


def step_as_task(
    function: Callable[[], Coroutine[Any, Any, Any]],
    context: Context,
    loop: asyncio.AbstractEventLoop,
) -> Outcome | asyncio.Task[Any]:
    """Do as `step`, for any coroutine: even its first step sees a current task of its own.

    ``function`` is called, without arguments, within that task.
    """
    steps = _Steps()
    task = asyncio.Task(steps, loop=loop, context=context)
    outside = asyncio.current_task(loop)
    # What asyncio documents for the task implementations of other libraries.
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
    """Run code of users in a task of its own, at once as far as it goes; tell how it ended.

    Whoever is cancelled meanwhile takes it along, and waits until it has ended.
    """
    step = step_as_task(function, copy_context(), running().loop)
    if isinstance(step, Outcome):
        return step
    try:
        await asyncio.wait([step])
    except asyncio.CancelledError:
        step.cancel()
        await asyncio.wait([step])
        raise
    error = failure(step)
    return Outcome(error=error) if error is not None else Outcome(step.result())


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine whose first step is taken outside the task that runs its others."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._waits_for: Any = None
        self._resumed = False

    def begin(self, function: Callable[[], Coroutine[Any, Any, Any]], context: Context) -> None:
        """Take the first step; leave the outcome, if there is one already."""
        try:
            self._coroutine = context.run(function)
            self._waits_for = context.run(self._coroutine.send, None)
        except StopIteration as stop:
            self.outcome = Outcome(stop.value)
        except BaseException as error:
            self.outcome = Outcome(error=error)
            running().exit_program(error)  # as an asyncio task does, which this one stands for

    def send(self, value: Any) -> Any:
        """Wait first for what the first step waits for, then go on like the coroutine itself."""
        if self._coroutine is None or self.outcome is not None:
            raise StopIteration  # whoever took the first step has the outcome
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
                self._waits_for.cancel()  # as cancelling a task does with what it waits for
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Close the coroutine."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise TypeError("run it in a task")
