"""Inspect a running server: read and replace its state, trace it, suspend it.

Every function except `system_monitor` sends a request, which the server handles between two
messages; a suspended server handles it too. If the server is stuck in a callback, the function
raises `CallTimeoutError`, which names the callback and the line that it waits in.

When not to use it: for communication between servers. Add a call for state that others need.

Source:
    Erlang's ``sys``, and ``erlang:system_monitor``.
"""

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beamish import _checks
from beamish._diagnostics import state, system
from beamish._diagnostics.debugging import DebugEvent, Debugging
from beamish._diagnostics.limits import Limits, limits
from beamish._runtime import one_or_many
from beamish.pid import Dest, Pid

__all__ = [
    "DebugEvent",
    "Limits",
    "Statistics",
    "Status",
    "get_state",
    "get_status",
    "log",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "system_monitor",
    "trace",
]

TIMEOUT = 5.0
"""The default timeout of each function in seconds. Source: ``sys``."""

_UNCHANGED: Any = object()


@dataclass(frozen=True, slots=True)
class Status:
    """The facts about a server that `get_status` returns.

    Args:
        pid: The server.
        class_name: Its class.
        status: ``"running"`` or ``"suspended"``.
        parent: The process that started it with a link.
        name: Its name, if it has one.
        state: Its attributes, as its ``format_status`` shows them.
        links: Processes linked with it.
        message_queue_len: Number of queued messages.
    """

    pid: Pid
    class_name: str
    status: str
    parent: Pid | None
    name: Any
    state: Any
    links: tuple[Pid, ...]
    message_queue_len: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of a server since they were switched on.

    Args:
        started_at: Time when they were switched on, in seconds since the epoch.
        seconds: Seconds since then.
        messages_in: Number of calls, casts and other messages that it has started to handle.
        replies_out: Number of replies to calls.
    """

    started_at: float
    seconds: float
    messages_in: int
    replies_out: int


async def get_state(dest: Dest, timeout: float | None = TIMEOUT) -> dict[str, Any]:
    """Return a dict of the server's attributes.

    Args:
        dest: Pid, name or via name.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Source:
        ``sys:get_state/2``.
    """
    found: dict[str, Any] = await _ask(
        dest, lambda process: state.attributes(process.server), "get_state()", timeout
    )
    return found


async def replace_state(
    dest: Dest,
    fn: Callable[[dict[str, Any]], dict[str, Any]],
    timeout: float | None = TIMEOUT,
) -> dict[str, Any]:
    """Replace the server's attributes with the result of ``fn``, and return it.

    An exception of ``fn`` is raised here and does not change the server.

    Args:
        dest: Pid, name or via name.
        fn: Called with a dict of the attributes; returns a dict of all new attributes.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        TypeError: ``fn`` did not return a dict.
        ValueError: A key of that dict is not a valid attribute name.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Source:
        ``sys:replace_state/3``.
    """

    def replace(process: Any) -> dict[str, Any]:
        new = fn(state.attributes(process.server))
        if not isinstance(new, dict):
            raise TypeError(f"fn must return the dict of the new attributes; it returned {new!r}")
        state.replace(process.server, new)
        return new

    replaced: dict[str, Any] = await _ask(dest, replace, "replace_state()", timeout)
    return replaced


async def get_status(dest: Dest, timeout: float | None = TIMEOUT) -> Status:
    """Return the facts about the server; its state as its ``format_status`` shows it.

    Args and errors are those of `get_state`.

    Source:
        ``sys:get_status/2``.
    """

    def status(process: Any) -> Status:
        return Status(
            process.pid,
            process.class_name(),
            "suspended" if process.suspended else "running",
            process.parent,
            process.name,
            state.formatted(process.server, "status"),
            one_or_many.items(process.links),
            process.queue_length(),
        )

    found: Status = await _ask(dest, status, "get_status()", timeout)
    return found


async def suspend(dest: Dest, timeout: float | None = TIMEOUT) -> None:
    """Suspend the server until `resume`: it handles only `debug` and ``stop``; messages queue.

    Args and errors are those of `get_state`.

    Source:
        ``sys:suspend/2``.
    """

    def pause(process: Any) -> None:
        process.suspended = True
        process.runtime.suspects.setdefault(process.pid, False)  # messages can pile up

    await _ask(dest, pause, "suspend()", timeout)


async def resume(dest: Dest, timeout: float | None = TIMEOUT) -> None:
    """Resume a suspended server.

    Args and errors are those of `get_state`.

    Source:
        ``sys:resume/2``.
    """
    await _ask(dest, lambda process: setattr(process, "suspended", False), "resume()", timeout)


async def trace(
    dest: Dest,
    on: bool | Callable[[DebugEvent], object],
    timeout: float | None = TIMEOUT,
) -> None:
    """Trace the server: each message, call and reply, and each change of its state.

    State is shown through ``format_status``; messages are shown in full.

    Args:
        dest: Pid, name or via name.
        on: True prints the events; a function, such as the ``append`` of a list, is called with
            each `DebugEvent`; False ends every trace. A function that raises is removed.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        TypeError: ``on`` has another value.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Source:
        ``sys:trace/3`` and ``sys:install/3``.
    """
    if not isinstance(on, bool) and not callable(on):
        raise TypeError(f"trace needs True, False or a function of a DebugEvent; got {on!r}")

    def switch(debugging: Debugging) -> None:
        if on is False:
            debugging.handlers.clear()
        else:
            debugging.handlers.append(print if on is True else on)

    await _configure(dest, switch, "trace()", timeout)


async def statistics(
    dest: Dest,
    on: bool | None = None,
    timeout: float | None = TIMEOUT,
) -> Statistics | None:
    """Return the statistics, and switch them on (True) or off (False).

    Args:
        dest: Pid, name or via name.
        on: True starts again from 0, False stops, ``None`` only reads.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        ValueError: ``on`` has another value.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Returns:
        The statistics so far; ``None`` if they were off.

    Source:
        ``sys:statistics/3``.
    """
    if on is not None:
        _checks.one_of("on", on, (True, False, None))

    def switch(debugging: Debugging) -> Statistics | None:
        found = None
        if debugging.since is not None:
            seconds = time.time() - debugging.since
            counts = debugging.messages_in, debugging.replies_out
            found = Statistics(debugging.since, seconds, *counts)
        if on is not None:
            debugging.since = time.time() if on else None
            debugging.messages_in = debugging.replies_out = 0
        return found

    read: Statistics | None = await _configure(dest, switch, "statistics()", timeout)
    return read


async def log(
    dest: Dest,
    on: bool | int | None = None,
    timeout: float | None = TIMEOUT,
) -> list[DebugEvent]:
    """Return the logged events of the server, and switch its log on or off.

    Args:
        dest: Pid, name or via name.
        on: True keeps the last 10 events, a number that many; False stops; ``None`` only reads.
        timeout: Seconds to wait; ``None`` sets no limit.

    Raises:
        ValueError: ``on`` has another value.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Returns:
        The events kept so far, oldest first.

    Source:
        ``sys:log/3``.
    """
    if on is not None and not isinstance(on, bool):
        _checks.count("on", on, minimum=1)

    def switch(debugging: Debugging) -> list[DebugEvent]:
        found = list(debugging.log or ())
        if on is False:
            debugging.log = None
        elif on is not None:
            debugging.log = deque(found, maxlen=10 if on is True else on)
        return found

    events: list[DebugEvent] = await _configure(dest, switch, "log()", timeout)
    return events


def system_monitor(
    *,
    long_schedule: float | None = _UNCHANGED,
    long_message_queue: int | None = _UNCHANGED,
) -> Limits:
    """Set the limits above which the log and telemetry report; return the previous limits.

    A callback that blocks the event loop is reported once, while it runs, with its process, file
    and line, and at the level DEBUG with its stack. A mailbox is reported once, until it has
    shrunk below half of the limit. A thread checks 20 times a second (more often for a
    ``long_schedule`` under 0.1): it can miss a callback that ends sooner.

    Args:
        long_schedule: Seconds that one callback can block the event loop. Initially 0.1.
        long_message_queue: Messages that one mailbox can hold. Initially 10,000.

    ``None`` switches a report off; an omitted limit does not change. The limits apply to every
    event loop of the program.

    Raises:
        ValueError: ``long_schedule`` is not a positive number, or ``long_message_queue`` is not a
            whole number of at least 1.

    Source:
        ``erlang:system_monitor/2``. Differs: to the log and telemetry rather than to a process.
    """
    before = dataclasses.replace(limits)
    if long_schedule is not _UNCHANGED and long_schedule is not None:
        _checks.seconds("long_schedule", long_schedule, positive=True)
    if long_message_queue is not _UNCHANGED and long_message_queue is not None:
        _checks.count("long_message_queue", long_message_queue, minimum=1)
    if long_schedule is not _UNCHANGED:
        limits.long_schedule = long_schedule
    if long_message_queue is not _UNCHANGED:
        limits.long_message_queue = long_message_queue
    return before


async def _configure(
    dest: Dest, switch: Callable[[Debugging], Any], what: str, timeout: float | None
) -> Any:
    def configure(process: Any) -> Any:
        debugging = process.debugging or Debugging()
        found = switch(debugging)
        process.debugging = debugging if debugging.is_on else None
        return found

    return await _ask(dest, configure, what, timeout)


async def _ask(dest: Dest, function: Callable[[Any], Any], what: str, timeout: float | None) -> Any:
    _checks.timeout(timeout)
    return await system.ask(dest, function, what, timeout)
