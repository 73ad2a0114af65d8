"""`TaskRef`, the owner's monitor of a task, and waiting for several tasks."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from beamish import process
from beamish._runtime import one_or_many
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.process import Monitor, Process
from beamish._runtime.runtime import running
from beamish.errors import NoProcessError
from beamish.messages import Down
from beamish.pid import Pid
from beamish.results import Exited, Ok

Answer: TypeAlias = Ok[Any] | Exited


def caller() -> Process:
    """Return the calling process, the owner of the tasks that it starts.

    Raises:
        NoProcessError: This code does not run in a live process.
    """
    pid = process.current()
    found: Process | None = pid._process
    if found is None:
        raise NoProcessError(pid)
    return found


class TaskRef(Monitor):
    """The owner's monitor of a task: it delivers the result, then the end of the task.

    Both are messages to the owner, ``(ref, value)`` and `Down`, unless the owner waits for the
    result at that moment. The result is also kept here until it is taken, which removes its
    messages from the mailbox. So servers can wait too, although they have no ``receive``.
    """

    __slots__ = ("_answer", "_delivered", "waits")

    def __init__(self, owner: Pid, target: Pid | None) -> None:
        super().__init__(owner, target)
        self._answer: Answer | None = None
        self._delivered = False
        self.waits: OneOrMany[Wait] = None

    def watch(self, task: Process) -> None:
        """Start monitoring ``task``."""
        owner = self.owner._process
        owner.monitors = one_or_many.add(owner.monitors, self)
        task.watchers = one_or_many.add(task.watchers, self)

    def replied(self, value: Any) -> None:
        """Handle the return of ``value`` by the task."""
        if self._is_active():
            self._tell(Ok(value), (self, value))

    def died(self, pid: Pid, reason: Any) -> None:
        """Handle the death of the task."""
        if self._is_active():
            owner = self.owner._process
            owner.monitors = one_or_many.remove(owner.monitors, self)
            self._tell(Exited(reason), Down(self, pid, reason))

    def complete(self, value: Any) -> None:
        """Set the result of a task without a process."""
        self._tell(Ok(value), (self, value))

    def _is_active(self) -> bool:
        # A removed monitor drops a late answer: Erlang's monitor with an alias.
        owner = self.owner._process
        return owner is not None and one_or_many.contains(owner.monitors, self)

    def _tell(self, answer: Answer, message: Any) -> None:
        first = self._answer is None
        if first:
            self._answer = answer
        if self.waits is None:
            self._delivered = True
            self.owner._process.deliver(message)
        elif first:
            for wait in one_or_many.items(self.waits):
                wait.add(answer)

    @property
    def answer(self) -> Answer | None:
        """The result so far, or ``None``."""
        return self._answer

    @property
    def is_open(self) -> bool:
        """Whether a result is still expected."""
        return self._answer is None and self._is_active()

    def take(self) -> Answer | None:
        """Return the result, if any, and remove the task's messages from the mailbox."""
        answer = self._answer
        if answer is not None:
            self.close()
        return answer

    def close(self) -> None:
        """Stop monitoring, and remove the task's messages from the mailbox."""
        self._answer = None
        owner = self.owner._process
        if owner is not None:
            owner.demonitor(self)
            if self._delivered:
                owner.discard_messages(self._is_mine)

    def _is_mine(self, message: Any) -> bool:
        if isinstance(message, Down):
            return message.ref is self
        return isinstance(message, tuple) and len(message) == 2 and message[0] is self


class Wait:
    """One wait for the results of tasks that have none yet."""

    __slots__ = ("_first_exit", "_future", "_left", "_refs")

    def __init__(self, refs: Sequence[TaskRef], *, first_exit: bool) -> None:
        self._refs = refs
        self._left = len(refs)
        self._first_exit = first_exit
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, answer: Answer) -> None:
        """Count a result."""
        self._left -= 1
        if self._left == 0 or (self._first_exit and isinstance(answer, Exited)):
            self.end()

    def end(self) -> None:
        """End the wait."""
        if not self._future.done():
            self._future.set_result(None)

    def died(self, pid: Pid, reason: Any) -> None:
        """End the wait because the owner died."""
        self.end()

    async def run(self, seconds: float | None) -> None:
        """Wait for at most ``seconds`` seconds."""
        owner = caller()
        timers = owner.runtime.timers
        owner.watchers = one_or_many.add(owner.watchers, self)
        for ref in self._refs:
            ref.waits = one_or_many.add(ref.waits, self)
        timer = None if seconds is None else timers.after(seconds, self.end)
        try:
            await self._future
        finally:
            if timer is not None:
                timers.cancel(timer)
            for ref in self._refs:
                ref.waits = one_or_many.remove(ref.waits, self)
            owner.watchers = one_or_many.remove(owner.watchers, self)


async def wait(refs: Iterable[TaskRef], seconds: float | None, *, first_exit: bool = False) -> None:
    """Wait until all of ``refs`` have a result, for at most ``seconds`` seconds.

    Args:
        refs: The monitors. Closed ones are skipped, because they get no result.
        seconds: ``None`` waits without a limit; 0 returns at once.
        first_exit: Whether the first task that exits ends the wait.
    """
    distinct = dict.fromkeys(refs)
    waiting = [ref for ref in distinct if ref.is_open]
    exited = first_exit and any(isinstance(ref.answer, Exited) for ref in distinct)
    if waiting and seconds != 0 and not exited:
        await Wait(waiting, first_exit=first_exit).run(seconds)
    elif not running().spend_budget():  # a loop of such calls must let the tasks run
        await running().yield_to_loop()
