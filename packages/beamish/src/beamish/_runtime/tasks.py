"""Processes that are asyncio tasks: spawned coroutines, and tasks that are attached.

They have a mailbox and take messages from it themselves, with `receive`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Any

from beamish import telemetry
from beamish._runtime import hooks, unwinding
from beamish._runtime.context import current_pid
from beamish._runtime.message_queue import NOTHING, MessageQueue
from beamish._runtime.process import Process
from beamish._runtime.runtime import Runtime, running
from beamish.errors import ExitError
from beamish.pid import Pid
from beamish.results import CANCELLED

_ALIVE = object()


class TaskProcess(Process):
    """A process whose code runs in one asyncio task."""

    handled: int
    __slots__ = ("_arrival", "_mailbox", "_name", "kill_reason", "task")

    def __init__(self, runtime: Runtime, parent: Pid | None, name: str) -> None:
        super().__init__(runtime, parent)
        self._name = name
        self._mailbox = MessageQueue()
        self._arrival: asyncio.Future[None] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.kill_reason: Any = _ALIVE

    # -- Messages

    def deliver(self, message: Any) -> None:
        """Append a message to the mailbox and wake the tasks that wait for one."""
        if not self.runtime.check_loop():
            return
        self._mailbox.append(message)
        self._wake()

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is None:
            # No task waits for a message, so they can pile up; see `mailboxes`.
            self.runtime.suspects.setdefault(self.pid, False)
        elif not arrival.done():
            arrival.set_result(None)

    async def receive(self, timeout: float | None, match: Callable[[Any], bool] | None) -> Any:
        """Wait at most ``timeout`` seconds for a matching message; remove and return it."""
        if not self.runtime.spend_budget():
            await self.runtime.yield_to_loop()
        queue = self._mailbox
        if match is None:
            message = queue.take_first()
            if message is NOTHING:
                message = await self._await_message(queue.take_first, timeout)
        else:
            message = queue.take_matching(match)
            if message is NOTHING:
                message = await self._await_match(match, timeout)
        self.handled += 1
        return message

    async def _await_match(self, match: Callable[[Any], bool], timeout: float | None) -> Any:
        scan = self._mailbox.begin(match)
        try:
            return await self._await_message(lambda: self._mailbox.take(scan), timeout)
        finally:
            self._mailbox.end(scan)

    async def _await_message(self, take: Callable[[], Any], timeout: float | None) -> Any:
        """Wait until ``take`` returns a message."""
        if timeout == 0:
            raise self._timeout_error(timeout)
        expiry = None if timeout is None else self.runtime.timers.after(timeout, self._wake)
        try:
            while True:
                await self._next_arrival()
                message = take()
                if message is not NOTHING:
                    return message
                if expiry is not None and expiry.callback is None:
                    raise self._timeout_error(timeout)
        finally:
            if expiry is not None:
                self.runtime.timers.cancel(expiry)

    def _timeout_error(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(
            f"{self.pid!r} received no matching message within {timeout:g} s; "
            f"{len(self._mailbox)} unmatched messages are queued"
        )

    async def _next_arrival(self) -> None:
        if self._arrival is None:
            self._arrival = self.runtime.loop.create_future()
        # Shielded: several tasks of one process can wait for the same future. Without it, a
        # cancelled task would cancel the future for the other tasks too.
        await asyncio.shield(self._arrival)

    def queue_length(self) -> int:
        """Return the number of queued messages."""
        return len(self._mailbox)

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the queued messages for which ``unwanted`` is true."""
        self._mailbox.discard(unwanted)

    # -- Exit

    def kill(self, reason: Any) -> None:
        """Cancel the task; links and watchers are notified when it has unwound."""
        if self.kill_reason is not _ALIVE:
            if self.task is not None:
                self.task.cancel()  # again: a second kill also interrupts the clean-up
            return
        self.kill_reason = reason
        self.unregister()
        if self.task is None or self.task.done():
            self.die(reason)
        else:
            self.interrupt(self.task)

    @property
    def is_killed(self) -> bool:
        """Whether an exit signal has killed the process."""
        return self.kill_reason is not _ALIVE

    def turn(self) -> None:
        """Do nothing: the task takes its messages itself."""

    def status(self) -> str:
        """Return what the task is doing."""
        if self.is_killed:
            return "exiting"
        return "waiting" if self._arrival is not None else "running"

    def class_name(self) -> str:
        """Return the name of the coroutine function, or of the task."""
        return self._name

    def kind(self) -> str:
        """Return one label for all attached tasks: their names would be too many for metrics."""
        return "attached task"

    def size_bytes(self) -> int:
        """Return an estimate of the memory of the process, in bytes."""
        return super().size_bytes() + self._mailbox.size_bytes()


def failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the exception that a task ended with, also `CancelledError`; otherwise ``None``."""
    try:
        task.result()
    except BaseException as error:  # a cancelled task's has a traceback only here
        return error
    finally:
        # The frame is in the traceback of the error, which the task holds: a reference cycle.
        del task
    return None


class SpawnedProcess(TaskProcess):
    """A coroutine that runs as a process, until it returns."""

    __slots__ = ()

    def kind(self) -> str:
        """Return the name of the coroutine function."""
        return self._name

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Start a task that runs ``coroutine``, in a copy of the current context."""
        context = copy_context()
        context.run(current_pid.set, self.pid)
        self.task = asyncio.Task(
            coroutine, loop=self.runtime.loop, name=self._name, context=context
        )
        self.task.add_done_callback(self.ended, context=self.runtime.context)
        if telemetry.enabled:
            telemetry.process_start(self.pid, self._name)

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Die with the result of the task as the exit reason."""
        if self.is_killed:
            if not task.cancelled():
                # Retrieved, so that asyncio does not log it: the exit signal is the reason, not
                # what the clean-up raised.
                task.exception()
            self.die(self.kill_reason)
        elif task.cancelled() and task.cancelling():
            self.die(CANCELLED)
        elif (error := failure(task)) is not None:
            self.reported = True
            for crashed in hooks.process_crashed:
                crashed(self, error)
            self.die(error)
        else:
            self.die("normal")

    def kill(self, reason: Any) -> None:
        """Cancel the task; if it ignores the cancellation for too long, exit without it."""
        super().kill(reason)
        if self.task is not None and not self.task.done():
            unwinding.limit(self, self.task, self.abandon)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Handle an exit signal.

        From the parent it sets no limit on the clean-up of the task: the parent, such as a
        supervisor, has a limit of its own, the ``shutdown`` of the child.
        """
        if sender is None or sender is not self.parent_pid() or self.trap_exit:
            super().signal(sender, reason)
        elif not (isinstance(reason, str) and reason == "normal"):
            super().kill(reason)

    def abandon(self) -> None:
        """Exit although the task still runs."""
        if self.task is not None and not self.task.done():
            self.task.remove_done_callback(self.ended)
            self.die(self.kill_reason)

    def title(self) -> str:
        """Return what crash reports call the process."""
        return f"process {self.pid!r} ({self._name})"


class Attachment:
    """The block of `process.attach`, within which the current task is a process.

    The block can end in another task than the one that entered it, as in test fixtures and some
    web frameworks. An exit signal then cancels the task that entered it, if that still runs; the
    task that leaves the block gets the `ExitError`.
    """

    def __init__(self) -> None:
        self._process: TaskProcess | None = None  # None: the task was a process already

    async def __aenter__(self) -> Pid:
        task = asyncio.current_task()
        pid = current_pid.get()
        if pid is not None and isinstance(pid._process, TaskProcess) and pid._process.task is task:
            return pid
        assert task is not None  # noqa: S101 - an async with statement runs in a task
        self._process = process = TaskProcess(running(), pid, task.get_name())
        process.task = task
        self._token = current_pid.set(process.pid)
        if telemetry.enabled:
            telemetry.process_start(process.pid, process.kind())
        return process.pid

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None:
            return
        task = process.task
        assert task is not None  # noqa: S101 - set when the block was entered
        entered_here = asyncio.current_task() is task
        if entered_here:  # otherwise the token belongs to the context of another task
            current_pid.reset(self._token)
        if process.is_killed:
            if entered_here:
                await absorb_cancellation(task, error)
            process.die(process.kill_reason)
            raise ExitError(process.kill_reason, process.pid)
        process.die(_reason_of(error))


def _reason_of(error: BaseException | None) -> Any:
    if error is None:
        return "normal"
    return CANCELLED if isinstance(error, asyncio.CancelledError) else error


async def absorb_cancellation(task: asyncio.Task[Any], error: BaseException | None) -> None:
    """Undo the cancellation by an exit signal, so that the block can raise an error instead."""
    if not isinstance(error, asyncio.CancelledError):
        # The block ended before the cancellation was raised: suspend once, so that it is.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    task.uncancel()
