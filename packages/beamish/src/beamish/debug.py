"""Look into a running server: its state, what it does, and let it pause.

Every function but `system_monitor` asks the server, which answers between two messages; a
suspended server still answers. One that is stuck in a callback makes `CallTimeoutError`, which
names the callback and the line that it waits in.

When not to use it: as a way for servers to talk. State that others need deserves a call.

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
from beamish._runtime import one_or_many, state, system
from beamish._runtime.debugging import DebugEvent, Debugging
from beamish._runtime.limits import Limits, limits
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
"""Seconds that each function waits unless told otherwise. Source: ``sys``."""

_AS_IT_IS: Any = object()


@dataclass(frozen=True, slots=True)
class Status:
    """What `get_status` tells of a server.

    Args:
        pid: The server.
        class_name: Its class.
        status: ``"running"`` or ``"suspended"``.
        parent: Who started it, linked.
        name: Its name, if it has one.
        state: Its attributes, as its ``format_status`` lets them be seen.
        links: Processes linked with it.
        message_queue_len: Messages that wait.
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
    """What a server did since its statistics were switched on.

    Args:
        started_at: When they were, in seconds since the epoch.
        seconds: How long ago that was.
        messages_in: Calls, casts and other messages that it has begun to handle.
        replies_out: Calls that it has answered.
    """

    started_at: float
    seconds: float
    messages_in: int
    replies_out: int


async def get_state(dest: Dest, timeout: float | None = TIMEOUT) -> dict[str, Any]:
    """Return a snapshot of the server's attributes.

    Args:
        dest: Pid, name or via name.
        timeout: Seconds to wait; ``None`` waits for ever.

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
    """Set the server's attributes to what ``fn`` returns for a dict of them; return that.

    An exception of ``fn`` is raised here, and leaves the server as it was.

    Args:
        dest: Pid, name or via name.
        fn: Is given the attributes; returns all those that the server is to have.
        timeout: Seconds to wait; ``None`` waits for ever.

    Raises:
        TypeError: ``fn`` returned no dict.
        ValueError: A key of that dict is no name of an attribute.
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
    """Return what is known of the server, its state through its ``format_status``.

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
    """Let the server handle nothing but `debug` and ``stop`` until `resume`; messages wait.

    Args and errors are those of `get_state`.

    Source:
        ``sys:suspend/2``.
    """

    def pause(process: Any) -> None:
        process.suspended = True
        process.runtime.suspects.setdefault(process.pid, False)  # messages may pile up

    await _ask(dest, pause, "suspend()", timeout)


async def resume(dest: Dest, timeout: float | None = TIMEOUT) -> None:
    """Let a suspended server go on.

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
    """Show what the server does: each message, call and reply, and each change of its state.

    State is shown as ``format_status`` lets it be seen; messages are shown as they are.

    Args:
        dest: Pid, name or via name.
        on: True prints; a function, such as the ``append`` of a list, is called with each
            `DebugEvent`; False ends every trace. A function that raises is removed.
        timeout: Seconds to wait; ``None`` waits for ever.

    Raises:
        TypeError: ``on`` is none of these.
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
    """Switch statistics on (True) or off (False), or read them (``None``, which switches nothing).

    Args:
        dest: Pid, name or via name.
        on: True begins anew, False stops, ``None`` only reads.
        timeout: Seconds to wait; ``None`` waits for ever.

    Raises:
        ValueError: ``on`` is none of these.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Returns:
        The statistics so far; ``None`` where they were off.

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
    """Keep the last events of the server, or read them.

    Args:
        dest: Pid, name or via name.
        on: True keeps the last 10 events, a number that many; False stops; ``None`` only reads.
        timeout: Seconds to wait; ``None`` waits for ever.

    Raises:
        ValueError: ``on`` is none of these.
        NoProcessError: There is no such process.
        CallTimeoutError: The server is stuck; the message says where.

    Returns:
        The events kept so far, oldest first.

    Source:
        ``sys:log/3``.
    """
    if on is not None and not isinstance(on, bool):
        _checks.count("on", on, least=1)

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
    long_schedule: float | None = _AS_IT_IS,
    long_message_queue: int | None = _AS_IT_IS,
) -> Limits:
    """Set what is reported as too long, in the log and as telemetry; return what was before.

    A callback that blocks the event loop is reported once, while it does, with its process, file
    and line, and at the level DEBUG with its stack; a mailbox once until it has shrunk below half
    of the limit. A thread looks 20 times a second (more often for a ``long_schedule`` under 0.1):
    what is over sooner can go unseen.

    Args:
        long_schedule: Seconds for which one callback may block the event loop, 0.1 at first.
        long_message_queue: Messages that may wait in one mailbox, 10,000 at first.

    ``None`` switches a report off; what is left out stays as it is. The limits hold for every
    event loop of the program.

    Raises:
        ValueError: ``long_schedule`` is no positive number, or ``long_message_queue`` no whole
            number of at least 1.

    Source:
        ``erlang:system_monitor/2``. Differs: to the log and telemetry rather than to a process.
    """
    before = dataclasses.replace(limits)
    if long_schedule is not _AS_IT_IS and long_schedule is not None:
        _checks.seconds("long_schedule", long_schedule, positive=True)
    if long_message_queue is not _AS_IT_IS and long_message_queue is not None:
        _checks.count("long_message_queue", long_message_queue, least=1)
    if long_schedule is not _AS_IT_IS:
        limits.long_schedule = long_schedule
    if long_message_queue is not _AS_IT_IS:
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
