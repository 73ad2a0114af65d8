"""What a dynamic supervisor remembers of children that have crashed."""

import asyncio
from typing import Any

from beamish._runtime.runtime import running
from beamish._runtime.timers import Timer
from beamish._server.start import ServerStart
from beamish._strategy import RestartWindow
from beamish.child_spec import ChildSpec
from beamish.pid import Dest, Pid


class History:
    """What a supervisor remembers of a child that has crashed before."""

    __slots__ = ("crashes", "started_at", "window")

    def __init__(self, window: RestartWindow) -> None:
        self.window = window
        self.crashes = 0  # in a row
        self.started_at: float | None = None  # while the child runs

    def crashed(self, now: float, reset_after: float) -> int:
        """Count a crash or a failed start; return how many there were in a row.

        A child that has run for ``reset_after`` seconds starts a new row. The back-off and a
        failed start do not count as running: otherwise a delay as long as ``reset_after`` would
        start over by itself.
        """
        ran_long = self.started_at is not None and now - self.started_at >= reset_after
        self.crashes = 1 if ran_long else self.crashes + 1
        self.started_at = None
        return self.crashes


class Between:
    """A child between two processes, as `NoProcessError` knows it."""

    __slots__ = ("_known_as", "_runtime", "timer")

    def __init__(self) -> None:
        self._known_as: tuple[Any, ...] = ()
        self.timer: Timer | None = None  # until its back-off is over

    def announce(self, last_pid: Pid, spec: ChildSpec) -> None:
        """Let those who address the child by its last pid or its name know that it restarts."""
        self._runtime = running()
        name = spec.start.name if isinstance(spec.start, ServerStart) else None
        for dest in (last_pid, name):
            if dest is not None and _is_hashable(dest):
                self._runtime.restarting[dest] = self
                self._known_as = (*self._known_as, dest)

    def withdraw(self) -> None:
        """Undo `announce`: the child runs again, or will not."""
        for dest in self._known_as:
            if self._runtime.restarting.get(dest) is self:
                del self._runtime.restarting[dest]
        self._known_as = ()

    def restarting_in(self) -> float:
        """Return the seconds until the next attempt; 0 while one is under way."""
        left = None if self.timer is None else self._runtime.timers.left(self.timer)
        return left or 0.0


def _is_hashable(dest: Dest) -> bool:
    try:
        hash(dest)
    except TypeError:  # a via name of a service that takes any names
        return False
    return True


class Restarting(Between):
    """A child of a dynamic supervisor between two processes."""

    __slots__ = ("history", "reason", "spec", "start")

    def __init__(self, spec: ChildSpec, history: History | None, reason: Any) -> None:
        super().__init__()
        self.spec = spec
        self.history = history
        self.reason = reason
        self.start: asyncio.Future[Any] | None = None  # while its init waits
