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


_MAX_GAP_SECONDS = 1.0
"""Most seconds that count between two checks: what happened in a longer gap is not known."""


class _Loop:
    """The observations of one server that returns `Continue`.

    ``others`` counts the callbacks that returned another result. While it does not grow and
    ``continued`` does, each callback is followed by ``handle_continue``, and no message is
    handled.
    """

    __slots__ = ("checked_at", "continued", "lasted", "others", "reported", "started_with")

    def __init__(self, continued: int, others: int) -> None:
        self.started_with = self.continued = continued
        self.others = others
        self.lasted = 0.0
        self.checked_at = time.monotonic()
        self.reported = False


_loops: dict[Any, _Loop] = {}  # by pid; used only in the watchdog's thread


def check(process: Any) -> None:
    """Report a server that has only continued for too long. Runs in the watchdog's thread."""
    continued = getattr(process, "continued", 0)
    if not continued:
        return
    others = process.handled - continued
    seen = _loops.get(process.pid)
    # ``handled`` is incremented before ``continued``, and this thread can read between the two:
    # a difference of 1 does not show that another message was handled.
    handled_another = seen is None or others > seen.others + 1
    if seen is None or handled_another or _rests(process, seen, continued):
        _remove_dead()
        _loops[process.pid] = _Loop(continued, others)
        return
    now = time.monotonic()
    seen.lasted += min(now - seen.checked_at, _MAX_GAP_SECONDS)
    seen.checked_at, seen.continued = now, continued
    seen.others = min(seen.others, others)
    # A growth by 1 does not show a loop: the one message that ``others`` allows can return it.
    loops = continued >= seen.started_with + 2 and seen.lasted >= CONTINUE_SECONDS
    if loops and not seen.reported:
        seen.reported = True
        _report(process, seen.lasted)


def _rests(process: Any, seen: _Loop, continued: int) -> bool:
    # A long ``handle_continue`` is not counted until it returns, but the server does not rest.
    return continued == seen.continued and bool(process.status() == "waiting")


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
