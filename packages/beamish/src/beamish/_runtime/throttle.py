"""A summary instead of a storm of reports about one child."""

import logging

from beamish._runtime.runtime import Runtime
from beamish.pid import Pid

_log = logging.getLogger("beamish")

WINDOW_SECONDS = 5.0
IN_FULL = 3  # reports about one child in a window that are given in full


class _Count:
    """The reports about one child in the current window; ``last_pid`` is its newest process."""

    __slots__ = ("last_pid", "reports")

    def __init__(self, pid: Pid) -> None:
        self.last_pid = pid
        self.reports = 0


class Throttle:
    """Counts the reports about each child, and gives the surplus as one line when its time is up.

    A child is known by the process that crashed first; its supervisor says who follows whom.

    Args:
        runtime: Whose timers tell the time.
    """

    __slots__ = ("_counts", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._counts: dict[Pid, _Count] = {}  # by the child's newest process

    def allows(self, pid: Pid, what: str) -> bool:
        """Count a report about the process ``pid``; say whether it is to be given in full."""
        count = self._counts.get(pid)
        if count is None:
            count = self._counts[pid] = _Count(pid)
            self._runtime.timers.after(WINDOW_SECONDS, lambda: self._summarise(count, what))
        count.reports += 1
        return count.reports <= IN_FULL

    def follows(self, old: Pid, new: Pid) -> None:
        """Hear that a supervisor has started ``new`` in the place of ``old``."""
        count = self._counts.pop(old, None)
        if count is None:
            return
        newer = self._counts.get(new)  # it has crashed already
        if newer is not None:
            newer.reports += count.reports
        else:
            count.last_pid = new
            self._counts[new] = count

    def _summarise(self, count: _Count, what: str) -> None:
        if self._counts.get(count.last_pid) is count:
            del self._counts[count.last_pid]
        left_out = count.reports - IN_FULL
        if left_out > 0:
            _log.error("%s and those that followed it crashed %d more times", what, left_out)


def throttle(runtime: Runtime) -> Throttle:
    """Return the throttle of ``runtime``."""
    if runtime.throttle is None:
        runtime.throttle = Throttle(runtime)
    found: Throttle = runtime.throttle
    return found
