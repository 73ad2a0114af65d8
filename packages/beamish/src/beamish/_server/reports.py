"""Crash reports: one for a crash, and a summary instead of a storm."""

import logging
import traceback
from collections.abc import Hashable
from typing import Any

from beamish._runtime import few, state
from beamish._runtime.runtime import Runtime

_log = logging.getLogger("beamish")

WINDOW_SECONDS = 5.0
IN_FULL = 3  # reports about one child in a window that are given in full

_SHOWN = 2000  # characters of a state or message that are shown


class Throttle:
    """Counts the reports about each child, and gives the surplus as one line when its time is up.

    Args:
        runtime: Whose timers tell the time.
    """

    __slots__ = ("_runtime", "_seen")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: dict[Hashable, int] = {}

    def allows(self, child: Hashable, what: str) -> bool:
        """Count a report about ``child``, and say whether it is to be given in full."""
        count = self._seen.get(child, 0) + 1
        self._seen[child] = count
        if count == 1:
            self._runtime.timers.after(WINDOW_SECONDS, lambda: self._summarise(child, what))
        return count <= IN_FULL

    def _summarise(self, child: Hashable, what: str) -> None:
        left_out = self._seen.pop(child) - IN_FULL
        if left_out > 0:
            _log.error("%s crashed %d more times within %g s", what, left_out, WINDOW_SECONDS)


def throttle(runtime: Runtime) -> Throttle:
    """Return the throttle of ``runtime``."""
    if runtime.throttle is None:
        runtime.throttle = Throttle(runtime)
    return runtime.throttle  # type: ignore[no-any-return]


def crash(process: Any, reason: Any, last_message: str) -> None:
    """Log that a server has terminated for an abnormal reason.

    Args:
        process: The server's process, before its names and links are gone.
        reason: Its exit reason.
        last_message: What it was handling.
    """
    process.reported = True
    if not _log.isEnabledFor(logging.ERROR):
        return
    what = title(process)
    if not throttle(process.runtime).allows(child_key(process), what):
        return
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


def child_key(process: Any) -> Hashable:
    """Tell the servers apart that are one child to a reader, across restarts."""
    return (process.class_name(), _hashable(process.name) or process.parent_pid() or process.pid)


def _hashable(name: Any) -> Hashable:
    try:
        hash(name)
    except TypeError:
        return repr(name)
    return name  # type: ignore[no-any-return]


def shown_reason(reason: Any) -> str:
    """Show an exit reason in one line."""
    if isinstance(reason, BaseException):
        return traceback.format_exception_only(reason)[-1].strip()
    return f"(stop) {reason!r}"


def shown_state(process: Any, why: str, reason: Any) -> str:
    """Show the state of a server through its ``format_status``."""
    try:
        shown = repr(state.formatted(process.server, why, reason))
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
