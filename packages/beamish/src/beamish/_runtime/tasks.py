"""Processes that are asyncio tasks: spawned coroutines, and tasks that are attached.

They have a mailbox and take their messages out of it themselves, with `receive`.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from beamish import telemetry
from beamish._runtime import unwinding
from beamish._runtime.context import current_pid
from beamish._runtime.message_queue import NOTHING, MessageQueue
from beamish._runtime.process import Process
from beamish._runtime.runtime import Runtime, running
from beamish._runtime.throttle import throttle
from beamish.errors import ExitError
from beamish.pid import Pid
from beamish.results import CANCELLED

_log = logging.getLogger("beamish")

_ALIVE = object()


class TaskProcess(Process):
    """A process whose code runs in one asyncio task."""

    handled: int
    __slots__ = ("_arrival", "_mailbox", "_name", "doomed_by", "task")

    def __init__(self, runtime: Runtime, parent: Pid | None, name: str) -> None:
        super().__init__(runtime, parent)
        self._name = name
        self._mailbox = MessageQueue()
        self._arrival: asyncio.Future[None] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.doomed_by: Any = _ALIVE

    # -- Messages

    def deliver(self, message: Any) -> None:
        """Put a message into the mailbox and wake who waits for one."""
        if not self.runtime.check_loop():
            return
        self._mailbox.append(message)
        self._wake()

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is None:
            self.runtime.suspects.setdefault(self.pid, False)  # nobody waits: it may pile up
        elif not arrival.done():
            arrival.set_result(None)

    async def receive(self, timeout: float | None, match: Callable[[Any], bool] | None) -> Any:
        """Take the first message that matches, waiting for it at most ``timeout`` seconds."""
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
            raise self._nothing(timeout)
        expiry = None if timeout is None else self.runtime.timers.after(timeout, self._wake)
        try:
            while True:
                await self._next_arrival()
                message = take()
                if message is not NOTHING:
                    return message
                if expiry is not None and expiry.callback is None:
                    raise self._nothing(timeout)
        finally:
            if expiry is not None:
                self.runtime.timers.cancel(expiry)

    def _nothing(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(
            f"{self.pid!r} received no matching message within {timeout:g} s; "
            f"{len(self._mailbox)} unmatched messages are queued"
        )

    async def _next_arrival(self) -> None:
        if self._arrival is None:
            self._arrival = self.runtime.loop.create_future()
        # Shielded: several tasks of one process may wait, and one that gives up wakes no other.
        await asyncio.shield(self._arrival)

    def queue_length(self) -> int:
        """Count the messages that wait."""
        return len(self._mailbox)

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages that are ``unwanted`` from the mailbox."""
        self._mailbox.discard(unwanted)

    # -- Exit

    def doom(self, reason: Any) -> None:
        """Die for an exit signal: cancel the task, and tell the others once it has unwound."""
        if self.doomed_by is not _ALIVE:
            if self.task is not None:
                self.task.cancel()  # once more: it takes too long over its clean-up
            return
        self.doomed_by = reason
        self.depart()
        if self.task is None or self.task.done():
            self.die(reason)
        else:
            self.interrupt(self.task)

    @property
    def doomed(self) -> bool:
        """Whether an exit signal has ended the process."""
        return self.doomed_by is not _ALIVE

    def turn(self) -> None:
        """Nothing to do: the task takes its messages itself."""

    def status(self) -> str:
        """Say what the task is doing."""
        if self.doomed:
            return "exiting"
        return "waiting" if self._arrival is not None else "running"

    def class_name(self) -> str:
        """Name the coroutine function, or the task."""
        return self._name

    def kind(self) -> str:
        """Name it for metrics; each attached task has a name of its own, of no use there."""
        return "attached task"

    def size_bytes(self) -> int:
        """Estimate the memory that the process takes."""
        return super().size_bytes() + self._mailbox.size_bytes()


def failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the exception that a task ended with; being cancelled is one, too."""
    try:
        task.result()
    except BaseException as error:  # a cancelled task's has a traceback only here
        return error
    finally:
        del task  # else the error, its traceback and this frame would hold one another
    return None


class SpawnedProcess(TaskProcess):
    """A coroutine that runs as a process, until it returns."""

    __slots__ = ()

    def kind(self) -> str:
        """Name the coroutine function."""
        return self._name

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Die with the reason for which the task has ended."""
        if self.doomed:
            if not task.cancelled():
                task.exception()  # whatever its clean-up raised, the exit signal came first
            self.die(self.doomed_by)
        elif task.cancelled() and task.cancelling():
            self.die(CANCELLED)
        elif (error := failure(task)) is not None:
            self._report(error)
            self.die(error)
        else:
            self.die("normal")

    def doom(self, reason: Any) -> None:
        """Die for an exit signal; a task that does not let itself be cancelled is left behind."""
        super().doom(reason)
        if self.task is not None and not self.task.done():
            unwinding.limit(self, self.task, self.abandon)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Take an exit signal; the parent, such as a supervisor, sets a limit of its own."""
        if sender is None or sender is not self.parent_pid() or self.trap_exit:
            super().signal(sender, reason)
        elif not (isinstance(reason, str) and reason == "normal"):
            super().doom(reason)

    def abandon(self) -> None:
        """Be dead, whatever the task still does."""
        if self.task is not None and not self.task.done():
            self.task.remove_done_callback(self.ended)
            self.die(self.doomed_by)

    def _report(self, error: BaseException) -> None:
        self.reported = True
        if throttle(self.runtime).allows(self.pid, f"process {self._name}"):
            _log.error(
                "%s terminating\n** %r\nAncestors: %r",
                self.title(),
                error,
                list(self.ancestors),
                exc_info=error,
                extra={"beamish_pid": repr(self.pid), "beamish_class": self._name},
            )

    def title(self) -> str:
        """Name the process as a reader of its crash report would."""
        return f"process {self.pid!r} ({self._name})"


class Attachment:
    """The block of `process.attach`: the current task is a process for as long as it lasts.

    The block may be left in another task than the one that entered it, as test fixtures and some
    web frameworks do. An exit signal then cancels the task that entered it, if that still runs;
    the leaving task gets the `ExitError`.
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
        if entered_here:  # else the variable belongs to the context of another task
            current_pid.reset(self._token)
        if process.doomed:
            if entered_here:
                await absorb_cancellation(task, error)
            process.die(process.doomed_by)
            raise ExitError(process.doomed_by, process.pid)
        process.die(_reason_of(error))


def _reason_of(error: BaseException | None) -> Any:
    if error is None:
        return "normal"
    return CANCELLED if isinstance(error, asyncio.CancelledError) else error


async def absorb_cancellation(task: asyncio.Task[Any], error: BaseException | None) -> None:
    """Take back the cancellation that an exit signal asked for; the block raises an error."""
    if not isinstance(error, asyncio.CancelledError):
        with suppress(asyncio.CancelledError):  # the block ended before it could arrive
            await asyncio.sleep(0)
    task.uncancel()
