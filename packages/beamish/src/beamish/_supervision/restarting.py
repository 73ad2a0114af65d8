"""What a dynamic supervisor remembers of children that have crashed."""

import asyncio
from typing import Any

from beamish._runtime.timers import Timer
from beamish._strategy import RestartWindow
from beamish.child_spec import ChildSpec


class History:
    """What a supervisor remembers of a child that has crashed before."""

    __slots__ = ("crashes", "started_at", "window")

    def __init__(self, window: RestartWindow, now: float) -> None:
        self.window = window
        self.crashes = 0  # in a row
        self.started_at = now

    def crashed(self, now: float, reset_after: float) -> int:
        """Count a crash; a child that had run for long starts to count anew."""
        ran_for_long = now - self.started_at >= reset_after
        self.crashes = 1 if ran_for_long else self.crashes + 1
        self.started_at = now
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
