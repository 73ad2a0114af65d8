"""How the owner of a task hears of it: `TaskRef`, and waiting for several of them."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from beamish import process
from beamish._runtime import few
from beamish._runtime.few import Few
from beamish._runtime.process import Monitor, Process
from beamish._runtime.runtime import running
from beamish.errors import NoProcessError
from beamish.messages import Down
from beamish.pid import Pid
from beamish.results import Exited, Ok

Answer: TypeAlias = Ok[Any] | Exited


def caller() -> Process:
    """Return the calling process, which is to own what it starts.

    Raises:
        NoProcessError: This code runs in no process, or in one that is dead.
    """
    pid = process.current()
    found: Process | None = pid._process
    if found is None:
        raise NoProcessError(pid)
    return found


class TaskRef(Monitor):
    """The monitor of a task's owner: it brings the answer first, then the end of the task.

    Both are messages to the owner, ``(ref, value)`` and `Down`, unless the owner waits for the
    answer at that moment. The answer is kept until it is taken, and is then taken back out of the
    mailbox. So owners that are servers may wait, too, though they have no ``receive``.
    """

    __slots__ = ("_answer", "_delivered", "waits")

    def __init__(self, owner: Pid, target: Pid | None) -> None:
        super().__init__(owner, target)
        self._answer: Answer | None = None
        self._delivered = False
        self.waits: Few[Wait] = None

    def watch(self, task: Process) -> None:
        """Begin to monitor ``task``."""
        owner = self.owner._process
        owner.monitors = few.add(owner.monitors, self)
        task.watchers = few.add(task.watchers, self)

    def replied(self, value: Any) -> None:
        """Hear that the task returned ``value``."""
        if self._is_active():
            self._tell(Ok(value), (self, value))

    def died(self, pid: Pid, reason: Any) -> None:
        """Hear that the task is dead."""
        if self._is_active():
            owner = self.owner._process
            owner.monitors = few.remove(owner.monitors, self)
            self._tell(Exited(reason), Down(self, pid, reason))

    def complete(self, value: Any) -> None:
        """Have an answer without there being any task."""
        self._tell(Ok(value), (self, value))

    def _is_active(self) -> bool:
        # A removed monitor drops a late answer: Erlang's monitor with an alias.
        owner = self.owner._process
        return owner is not None and few.contains(owner.monitors, self)

    def _tell(self, answer: Answer, message: Any) -> None:
        first = self._answer is None
        if first:
            self._answer = answer
        if self.waits is None:
            self._delivered = True
            self.owner._process.deliver(message)
        elif first:
            for wait in few.items(self.waits):
                wait.hear(answer)

    @property
    def answer(self) -> Answer | None:
        """What is known of the task so far."""
        return self._answer

    @property
    def is_open(self) -> bool:
        """Whether there will be an answer that is not there yet."""
        return self._answer is None and self._is_active()

    def take(self) -> Answer | None:
        """Take the answer, if there is one, with all that is left of the task in the mailbox."""
        answer = self._answer
        if answer is not None:
            self.close()
        return answer

    def close(self) -> None:
        """Hear no more of the task."""
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
    """One wait for the answers of some tasks, none of which is there yet."""

    __slots__ = ("_first_exit", "_future", "_left", "_refs")

    def __init__(self, refs: Sequence[TaskRef], *, first_exit: bool) -> None:
        self._refs = refs
        self._left = len(refs)
        self._first_exit = first_exit
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, answer: Answer) -> None:
        """Count an answer."""
        self._left -= 1
        if self._left == 0 or (self._first_exit and isinstance(answer, Exited)):
            self.end()

    def end(self) -> None:
        """Wait no longer."""
        if not self._future.done():
            self._future.set_result(None)

    def died(self, pid: Pid, reason: Any) -> None:
        """Hear that the owner is dead, whose other tasks may live on, but get no answers."""
        self.end()

    async def run(self, seconds: float | None) -> None:
        """Wait, at most ``seconds`` seconds."""
        owner = caller()
        timers = owner.runtime.timers
        owner.watchers = few.add(owner.watchers, self)
        for ref in self._refs:
            ref.waits = few.add(ref.waits, self)
        timer = None if seconds is None else timers.after(seconds, self.end)
        try:
            await self._future
        finally:
            if timer is not None:
                timers.cancel(timer)
            for ref in self._refs:
                ref.waits = few.remove(ref.waits, self)
            owner.watchers = few.remove(owner.watchers, self)


async def wait(refs: Iterable[TaskRef], seconds: float | None, *, first_exit: bool = False) -> None:
    """Wait until all of ``refs`` have an answer, at most ``seconds`` seconds.

    Args:
        refs: Those that will have none are not waited for.
        seconds: ``None`` waits for ever, 0 only looks.
        first_exit: Whether the first task that exits ends the wait for the others.
    """
    distinct = dict.fromkeys(refs)
    waiting = [ref for ref in distinct if ref.is_open]
    exited = first_exit and any(isinstance(ref.answer, Exited) for ref in distinct)
    if waiting and seconds != 0 and not exited:
        await Wait(waiting, first_exit=first_exit).run(seconds)
    elif not running().spend():  # who looks again and again must let the tasks run
        await running().breathe()
