"""Crash reports of servers: one for each crash, and a summary after many in a row."""

import logging
import traceback
from typing import Any

from beamish._diagnostics import state
from beamish._diagnostics.brief import brief
from beamish._diagnostics.throttle import throttle
from beamish._runtime import one_or_many
from beamish._server.items import SYSTEM, Item
from beamish._server.requests import describe

_log = logging.getLogger("beamish")


def crash(process: Any, reason: Any, item: Item | None) -> None:
    """Log that a server has terminated for an abnormal reason.

    Args:
        process: The server's process, which still has its names and links.
        reason: Its exit reason.
        item: The item that it was handling, or ``None``; a system request is not shown.
    """
    process.reported = True
    if not _log.isEnabledFor(logging.ERROR):
        return
    try:
        what = title(process)
        if throttle(process.runtime).allows(process.pid, what):
            _report(process, what, reason, item)
    except Exception:  # an error in the report must not stop the exit of the process
        if logging.raiseExceptions:  # as the handlers of `logging` do
            traceback.print_exc()


def _report(process: Any, what: str, reason: Any, item: Item | None) -> None:
    _log.error(
        "%s terminating\n** %s\nLast message: %s\nState: %s\nLinks: %r\nAncestors: %r",
        what,
        shown_reason(reason),
        _last_message(item),
        shown_state(process, "terminate", reason),
        list(one_or_many.items(process.links)),
        list(process.ancestors),
        exc_info=reason if isinstance(reason, BaseException) else None,
        extra=facts(process),
    )


def _last_message(item: Item | None) -> str:
    if item is None:
        return "[]"
    callback, args, _, _, _ = item
    return "[]" if callback is SYSTEM else describe(callback.name, args)


def title(process: Any) -> str:
    """Return the class, name and pid of a server."""
    name = process.label if process.name is None else shown_name(process.name)
    return f"{process.class_name()} {'' if name is None else f'{name} '}{process.pid!r}"


def shown_name(name: Any) -> str:
    """Return the ``repr`` of a local name, or of the name within a via name."""
    return repr(name) if isinstance(name, str) else repr(name.name)


def shown_reason(reason: Any) -> str:
    """Return an exit reason in one line."""
    if isinstance(reason, BaseException):
        return traceback.format_exception_only(reason)[-1].strip()
    return f"(stop) {brief(reason)}"


def shown_state(process: Any, why: str, reason: Any) -> str:
    """Return the state of a server as its ``format_status`` shows it."""
    try:
        return brief(state.formatted(process.server, why, reason))
    except Exception as error:
        return f"<cannot be shown: {error!r}>"


def facts(process: Any) -> dict[str, Any]:
    """Return the ``extra`` of log records about a server."""
    return {
        "beamish_pid": repr(process.pid),
        "beamish_class": process.class_name(),
        "beamish_name": None if process.name is None else shown_name(process.name),
    }
