"""What a dynamic supervisor remembers of children that have crashed."""

import asyncio
from typing import Any

from beamish._runtime.timers import Timer
from beamish._strategy import RestartWindow
from beamish.child_spec import ChildSpec


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


class Restarting:
    """A child between two processes."""

    __slots__ = ("history", "reason", "spec", "start", "timer")

    def __init__(self, spec: ChildSpec, history: History | None, reason: Any) -> None:
        self.spec = spec
        self.history = history
        self.reason = reason
        self.timer: Timer | None = None  # until its back-off is over
        self.start: asyncio.Future[Any] | None = None  # while its init waits
