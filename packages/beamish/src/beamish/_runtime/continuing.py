"""Notices servers that only return `Continue` and never take a message.

``handle_continue`` runs before any queued message. A server whose ``handle_continue`` returns
`Continue` each time starves its own mailbox: calls time out and ``GenServer.stop`` does not
return, while the event loop runs on and nothing looks wrong.
"""

import logging
import time
from typing import Any

_log = logging.getLogger("beamish")

CONTINUE_SECONDS = 5.0
"""For so long a server may handle nothing but its own `Continue`."""


class _Loop:
    """What was seen of one server that returns `Continue`.

    ``others`` counts the callbacks that returned something else. As long as it does not grow, each
    callback was followed by ``handle_continue``, and no message was taken.
    """

    __slots__ = ("handled", "others", "reported", "since")

    def __init__(self, handled: int, others: int) -> None:
        self.handled = handled
        self.others = others
        self.since = time.monotonic()
        self.reported = False


_loops: dict[Any, _Loop] = {}  # by pid; only the watchdog's thread uses it


def look_at(process: Any) -> None:
    """Report a server that has only continued for too long. Runs in the watchdog's thread."""
    continued = getattr(process, "continued", 0)
    if not continued:
        return
    handled = process.handled
    others = handled - continued
    seen = _loops.get(process.pid)
    # A callback counts as handled a moment before its Continue does: one more is no difference.
    if seen is None or others > seen.others + 1:
        _forget_the_dead()
        _loops[process.pid] = _Loop(handled, others)
        return
    seen.others = min(seen.others, others)
    lasted = time.monotonic() - seen.since
    if handled > seen.handled and lasted >= CONTINUE_SECONDS and not seen.reported:
        seen.reported = True
        _report(process, lasted)


def _forget_the_dead() -> None:
    for pid in [pid for pid in _loops if pid._process is None]:
        del _loops[pid]


def _report(process: Any, seconds: float) -> None:
    _log.warning(
        "continue loop: %s %r has handled nothing but its own Continue for %.0f s, and takes no "
        "message; its mailbox holds %d. Let it send itself a message instead, which comes last",
        process.class_name(),
        process.pid,
        seconds,
        process.queue_length(),
        extra={"beamish_pid": repr(process.pid), "beamish_class": process.class_name()},
    )
