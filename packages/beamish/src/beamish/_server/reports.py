"""Crash reports: one for a crash, and a summary instead of a storm."""

import logging
import traceback
from typing import Any

from beamish._runtime import few, state
from beamish._runtime.runtime import Runtime
from beamish._server.requests import describe, safe_repr
from beamish.pid import Pid

_log = logging.getLogger("beamish")

WINDOW_SECONDS = 5.0
IN_FULL = 3  # reports about one child in a window that are given in full

_SHOWN = 2000  # characters of a state or message that are shown


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
        if count is not None:
            count.last_pid = new
            self._counts[new] = count

    def _summarise(self, count: _Count, what: str) -> None:
        del self._counts[count.last_pid]
        left_out = count.reports - IN_FULL
        if left_out > 0:
            _log.error("%s and those that followed it crashed %d more times", what, left_out)


def throttle(runtime: Runtime) -> Throttle:
    """Return the throttle of ``runtime``."""
    if runtime.throttle is None:
        runtime.throttle = Throttle(runtime)
    return runtime.throttle  # type: ignore[no-any-return]


def crash(process: Any, reason: Any, item: Any) -> None:
    """Log that a server has terminated for an abnormal reason.

    Args:
        process: The server's process, before its names and links are gone.
        reason: Its exit reason.
        item: What it was handling, ``None`` for nothing that was sent to it.
    """
    process.reported = True
    if not _log.isEnabledFor(logging.ERROR):
        return
    try:
        what = title(process)
        if throttle(process.runtime).allows(process.pid, what):
            _report(process, what, reason, item)
    except Exception:  # whatever goes wrong with the report, the process is to die
        if logging.raiseExceptions:  # as logging's own handlers do
            traceback.print_exc()


def _report(process: Any, what: str, reason: Any, item: Any) -> None:
    last_message = "[]" if item is None else describe(item[0].name, item[1])
    _log.error(
        "%s terminating\n** %s\nLast message: %s\nState: %s\nLinks: %r\nAncestors: %r",
        what,
        shown_reason(reason),
        last_message,
        shown_state(process, "terminate", reason),
        list(few.items(process.links)),
        list(process.ancestors),
        exc_info=reason if isinstance(reason, BaseException) else None,
        extra=facts(process),
    )


def title(process: Any) -> str:
    """Name a server as a reader would: its class, name and pid."""
    name = process.label if process.name is None else shown_name(process.name)
    return f"{process.class_name()} {'' if name is None else f'{name} '}{process.pid!r}"


def shown_name(name: Any) -> str:
    """Show a name; of a via name, what the service calls the process."""
    return repr(name) if isinstance(name, str) else repr(name.name)


def shown_reason(reason: Any) -> str:
    """Show an exit reason in one line."""
    if isinstance(reason, BaseException):
        return traceback.format_exception_only(reason)[-1].strip()
    return f"(stop) {safe_repr(reason)}"


def shown_state(process: Any, why: str, reason: Any) -> str:
    """Show the state of a server through its ``format_status``."""
    try:
        shown = safe_repr(state.formatted(process.server, why, reason))
    except Exception as error:
        shown = f"<cannot be shown: {error!r}>"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def facts(process: Any) -> dict[str, Any]:
    """Return what structured logs want to know of a process."""
    return {
        "beamish_pid": repr(process.pid),
        "beamish_class": process.class_name(),
        "beamish_name": None if process.name is None else shown_name(process.name),
    }
