"""The time that servers spend in their callbacks, only while somebody looks at it."""

import time
from collections.abc import Mapping
from typing import Any

from beamish import telemetry
from beamish.pid import Pid

_EVENTS = [event for event in telemetry.EVENTS if event[:2] == telemetry.CALLBACK]


class BusyTimes:
    """Measures from its creation to `close`.

    A server whose async callback waits is in its callback, because it handles no other message
    meanwhile.
    """

    def __init__(self) -> None:
        self._seconds: dict[Pid, float] = {}  # of callbacks that ended since `mark`
        self._began: dict[Pid, float] = {}  # of callbacks that run
        self._marked_at = time.monotonic()
        self._shown: dict[Pid, float] = {}
        self._interval = 0.0
        telemetry.attach_many(self, _EVENTS, self._note)

    def _note(self, event: telemetry.Event, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        pid, now = facts["pid"], time.monotonic()
        if event[2] == "start":
            self._began[pid] = now
        else:
            began = self._began.pop(pid)
            self._seconds[pid] = self._seconds.get(pid, 0.0) + now - began

    def mark(self) -> None:
        """End an interval, which `share` shows, and begin the next one."""
        now = time.monotonic()
        shown, self._seconds = self._seconds, {}
        for pid, began in [*self._began.items()]:
            if pid._process is None:
                del self._began[pid]
            else:
                shown[pid] = shown.get(pid, 0.0) + now - began
                self._began[pid] = now
        self._shown, self._interval, self._marked_at = shown, now - self._marked_at, now

    def share(self, process: Any) -> float:
        """Return the share of the last interval that a server spent in callbacks, 0 to 1."""
        pid = process.pid
        seconds = self._shown.get(pid)
        if seconds is None:
            # Without a known beginning, its callback runs since before the measurement.
            unknown = process.current_callback() is not None and pid not in self._began
            return 1.0 if unknown else 0.0
        return min(1.0, seconds / self._interval) if self._interval else 0.0

    def close(self) -> None:
        """Stop measuring."""
        telemetry.detach(self)
