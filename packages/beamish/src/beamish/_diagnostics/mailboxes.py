"""Reports mailboxes that have grown too long, at no cost for each message.

A mailbox can only grow if its process does not handle its messages. Each place where that can
begin adds the process to the ``suspects`` of its runtime: a turn that ends with messages left, an
async callback that suspends, a `Continue`, `debug.suspend`, and a message that arrives while no
task of the process is in ``receive``. The watchdog's thread checks the suspects.
"""

import logging
from itertools import islice
from typing import Any

from beamish._diagnostics import continuing
from beamish._diagnostics.limits import emit, limits

_log = logging.getLogger("beamish")

# Suspects checked in one pass. A hundred thousand servers can wait in async callbacks at a time;
# a pass over all of them would delay the next check for blocked callbacks.
_BATCH_SIZE = 500


def check(runtime: Any) -> None:
    """Report the suspects whose mailboxes are too long; remove those that are harmless again.

    Runs in the watchdog's thread, while the event loop adds suspects. So each suspect is removed
    before it is checked: if the event loop adds it again in between, it stays. A suspect that is
    put back comes last, so that each is checked in its turn however many there are.
    """
    suspects: dict[Any, bool] = runtime.suspects  # pid and whether it is reported
    for pid in list(islice(suspects, _BATCH_SIZE)):
        reported = suspects.pop(pid, False)
        process = pid._process
        if process is None:
            continue
        continuing.check(process)
        length = process.queue_length()
        reported = _check_length(process, length, reported)
        if reported or length or _is_blocked(process):
            suspects[pid] = reported


def _is_blocked(process: Any) -> bool:
    # Its mailbox is empty, but messages that arrive now are not handled.
    return process.current_callback() is not None or process.status() == "suspended"


def _check_length(process: Any, length: int, reported: bool) -> bool:
    """Report a mailbox once, until it has shrunk below half of the limit; return that."""
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
        "long message queue: %d messages are queued at %s %r, more than %d; it is %s",
        length,
        class_name,
        pid,
        limit,
        process.current_callback() or process.status(),
        extra={"beamish_pid": repr(pid), "beamish_class": class_name},
    )
    facts = {"pid": pid, "class": process.kind()}
    emit(process.runtime, "long_message_queue", {"messages": length, "limit": limit}, facts)
