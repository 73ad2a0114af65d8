"""Notices mailboxes that have grown too long, without looking at each message that comes.

A mailbox can only be long if its process does not take its messages. Where that shows by itself,
and costs nothing more, the process is made a suspect of its runtime: when a turn ends with
messages left over, when an async callback begins to wait, when `debug` suspends it, when a message
finds nobody in ``receive``. The watchdog's thread looks at the suspects now and then.
"""

import logging
from itertools import islice
from typing import Any

from beamish._runtime import continuing
from beamish._runtime.limits import limits, tell

_log = logging.getLogger("beamish")

_AT_ONCE = 500  # suspects: a hundred thousand servers may wait in async callbacks at a time


def look_at(runtime: Any) -> None:
    """Report the suspects whose mailboxes are too long; forget those that are none any more.

    Runs in the watchdog's thread. The event loop adds suspects meanwhile, so each is taken out
    before it is looked at: one that becomes a suspect again in between stays in. Who is put back
    comes last, so that of very many, each has its turn.
    """
    suspects: dict[Any, bool] = runtime.suspects  # whether each has been reported
    for pid in list(islice(suspects, _AT_ONCE)):
        reported = suspects.pop(pid, False)
        process = pid._process
        if process is None:
            continue
        continuing.look_at(process)
        length = process.queue_length()
        reported = _judge(process, length, reported)
        if reported or length or _is_held_up(process):
            suspects[pid] = reported


def _is_held_up(process: Any) -> bool:
    # Messages may yet come, and no turn will take them.
    return process.current_callback() is not None or process.status() == "suspended"


def _judge(process: Any, length: int, reported: bool) -> bool:
    """Report a mailbox once, until it has shrunk below half of the limit."""
    limit = limits.long_message_queue
    if limit is None:
        return False
    if reported:
        return length >= limit / 2
    if length > limit:
        _report(process, length, limit)
        return True
    return False


def _report(process: Any, length: int, limit: int) -> None:
    pid, class_name = process.pid, process.class_name()
    _log.warning(
        "long message queue: %d messages wait for %s %r, more than %d; it is %s",
        length,
        class_name,
        pid,
        limit,
        process.current_callback() or process.status(),
        extra={"beamish_pid": repr(pid), "beamish_class": class_name},
    )
    facts = {"pid": pid, "class": process.kind()}
    tell(process.runtime, "long_message_queue", {"messages": length, "limit": limit}, facts)
