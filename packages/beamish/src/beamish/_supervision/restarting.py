"""Children that are being restarted, and the crashes of a dynamic supervisor's children."""

import asyncio
from typing import Any

from beamish._runtime.runtime import running
from beamish._runtime.timers import Timer
from beamish._server.start import ServerStart
from beamish._strategy import RestartWindow
from beamish.child_spec import ChildSpec
from beamish.pid import Dest, Pid


class CrashHistory:
    """The crashes and restarts of one child."""

    __slots__ = ("crashes", "started_at", "window")

    def __init__(self, window: RestartWindow) -> None:
        self.window = window
        self.crashes = 0  # in a row
        self.started_at: float | None = None  # None while it does not run

    def crashed(self, now: float, reset_after: float) -> int:
        """Count a crash or a failed start; return the number of them in a row.

        The count starts again at 1 if the child has run for ``reset_after`` seconds. The back-off
        and a failed start do not count as running: otherwise a delay as long as ``reset_after``
        would reset the count, although the child never ran.
        """
        ran_long = self.started_at is not None and now - self.started_at >= reset_after
        self.crashes = 1 if ran_long else self.crashes + 1
        self.started_at = None
        return self.crashes


class PendingRestart:
    """A restart that is not complete, which `NoProcessError` reports to callers of the child."""

    __slots__ = ("_known_as", "_runtime", "timer")

    def __init__(self) -> None:
        self._known_as: tuple[Any, ...] = ()
        self.timer: Timer | None = None  # of the back-off

    def announce(self, last_pid: Pid, spec: ChildSpec) -> None:
        """Make errors of calls to the child's last pid or name say that it is restarting."""
        self._runtime = running()
        name = spec.start.name if isinstance(spec.start, ServerStart) else None
        for dest in (last_pid, name):
            if dest is not None and _is_hashable(dest):
                self._runtime.restarting[dest] = self
                self._known_as = (*self._known_as, dest)

    def withdraw(self) -> None:
        """Undo `announce`: the child runs again, or was given up."""
        for dest in self._known_as:
            if self._runtime.restarting.get(dest) is self:
                del self._runtime.restarting[dest]
        self._known_as = ()

    def restarting_in(self) -> float:
        """Return the seconds until the next attempt; 0 during an attempt."""
        left = None if self.timer is None else self._runtime.timers.left(self.timer)
        return left or 0.0


def _is_hashable(dest: Dest) -> bool:
    try:
        hash(dest)
    except TypeError:  # a via name of a service that accepts unhashable names
        return False
    return True


class RestartingChild(PendingRestart):
    """A child of a dynamic supervisor that is being restarted."""

    __slots__ = ("history", "reason", "spec", "start")

    def __init__(self, spec: ChildSpec, history: CrashHistory | None, reason: Any) -> None:
        super().__init__()
        self.spec = spec
        self.history = history
        self.reason = reason
        self.start: asyncio.Future[Any] | None = None  # while its init is suspended
