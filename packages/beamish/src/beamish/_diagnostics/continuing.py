"""Reports servers that only return `Continue` and never handle a message.

``handle_continue`` runs before any queued message. A server whose ``handle_continue`` returns
`Continue` each time starves its own mailbox: calls time out and ``GenServer.stop`` does not
return, although the event loop is not blocked, so no other check reports it.
"""

import logging
import time
from typing import Any

_log = logging.getLogger("beamish")

CONTINUE_SECONDS = 5.0
"""Seconds after which a server that handles nothing but its own `Continue` is reported."""


class _Loop:
    """The observations of one server that returns `Continue`.

    ``others`` counts the callbacks that returned another result. While it does not grow, each
    callback is followed by ``handle_continue``, and no message is handled.
    """

    __slots__ = ("handled", "others", "reported", "since")

    def __init__(self, handled: int, others: int) -> None:
        self.handled = handled
        self.others = others
        self.since = time.monotonic()
        self.reported = False


_loops: dict[Any, _Loop] = {}  # by pid; used only in the watchdog's thread


def check(process: Any) -> None:
    """Report a server that has only continued for too long. Runs in the watchdog's thread."""
    continued = getattr(process, "continued", 0)
    if not continued:
        return
    handled = process.handled
    others = handled - continued
    seen = _loops.get(process.pid)
    # ``handled`` is incremented before ``continued``, and this thread can read between the two:
    # a difference of 1 does not show that another message was handled.
    if seen is None or others > seen.others + 1:
        _remove_dead()
        _loops[process.pid] = _Loop(handled, others)
        return
    seen.others = min(seen.others, others)
    lasted = time.monotonic() - seen.since
    if handled > seen.handled and lasted >= CONTINUE_SECONDS and not seen.reported:
        seen.reported = True
        _report(process, lasted)


def _remove_dead() -> None:
    for pid in [pid for pid in _loops if pid._process is None]:
        del _loops[pid]


def _report(process: Any, seconds: float) -> None:
    _log.warning(
        "continue loop: %s %r has handled nothing but its own Continue for %.0f s; %d messages "
        "are queued. Return Continue less often, or let the server send itself a message, which "
        "is handled after the queued ones",
        process.class_name(),
        process.pid,
        seconds,
        process.queue_length(),
        extra={"beamish_pid": repr(process.pid), "beamish_class": process.class_name()},
    )
