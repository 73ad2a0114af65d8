"""Limits the crash reports about one child; the rest becomes one summary line."""

import logging

from beamish._runtime.runtime import Runtime
from beamish.pid import Pid

_log = logging.getLogger("beamish")

WINDOW_SECONDS = 5.0
MAX_REPORTS = 3  # crash reports about one child in a window


class _Count:
    """The reports about one child in the current window; ``last_pid`` is its newest process."""

    __slots__ = ("last_pid", "reports")

    def __init__(self, pid: Pid) -> None:
        self.last_pid = pid
        self.reports = 0


class Throttle:
    """Counts the crash reports about each child, and logs the number of omitted ones.

    A child is identified by its newest process; its supervisor reports each restart.

    Args:
        runtime: The runtime whose timers end the windows.
    """

    __slots__ = ("_counts", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._counts: dict[Pid, _Count] = {}  # by the child's newest process

    def allows(self, pid: Pid, what: str) -> bool:
        """Count a report about the process ``pid``; return whether to log it."""
        count = self._counts.get(pid)
        if count is None:
            count = self._counts[pid] = _Count(pid)
            self._runtime.timers.after(WINDOW_SECONDS, lambda: self._summarise(count, what))
        count.reports += 1
        return count.reports <= MAX_REPORTS

    def restarted(self, old: Pid, new: Pid) -> None:
        """Count reports about ``new``, which replaces ``old``, as about the same child."""
        count = self._counts.pop(old, None)
        if count is None:
            return
        newer = self._counts.get(new)  # the new process has already crashed
        if newer is not None:
            newer.reports += count.reports
        else:
            count.last_pid = new
            self._counts[new] = count

    def _summarise(self, count: _Count, what: str) -> None:
        if self._counts.get(count.last_pid) is count:
            del self._counts[count.last_pid]
        omitted = count.reports - MAX_REPORTS
        if omitted > 0:
            _log.error("%s and its successors crashed %d more times", what, omitted)


def throttle(runtime: Runtime) -> Throttle:
    """Return the throttle of ``runtime``; create it at the first report."""
    if runtime.throttle is None:
        runtime.throttle = Throttle(runtime)
    found: Throttle = runtime.throttle
    return found
