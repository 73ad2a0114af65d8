"""Crash reports: one for a crash, and a summary instead of a storm."""

import logging
import traceback
from typing import Any

from beamish._runtime import one_or_many, state
from beamish._runtime.throttle import throttle
from beamish._server.requests import describe, safe_repr

_log = logging.getLogger("beamish")

_SHOWN = 2000  # characters of a state or message that are shown


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
        list(one_or_many.items(process.links)),
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
