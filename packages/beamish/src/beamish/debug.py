"""Look into a running server: its state, what it does, and let it pause.

Every function asks the server, which answers between two messages; a suspended server still
answers. One that is stuck in a callback makes `CallTimeoutError`, which names the callback.

When not to use it: as a way for servers to talk. State that others need deserves a call.

Source:
    Erlang's ``sys``.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beamish import _checks
from beamish._runtime import few, state, system
from beamish._runtime.debugging import DebugEvent, Debugging
from beamish.pid import Dest, Pid

__all__ = [
    "DebugEvent",
    "Statistics",
    "Status",
    "get_state",
    "get_status",
    "log",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "trace",
]

TIMEOUT = 5.0
"""Seconds that each function waits unless told otherwise. Source: ``sys``."""


@dataclass(frozen=True, slots=True)
class Status:
    """What `get_status` tells of a server; ``state`` is as ``format_status`` lets it be seen."""

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
    """What a server did since its statistics were switched on."""

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
            few.items(process.links),
            process.queue_length(),
        )

    found: Status = await _ask(dest, status, "get_status()", timeout)
    return found


async def suspend(dest: Dest, timeout: float | None = TIMEOUT) -> None:
    """Let the server handle nothing but `debug` and ``stop`` until `resume`; messages wait.

    Source:
        ``sys:suspend/2``.
    """
    await _ask(dest, lambda process: setattr(process, "suspended", True), "suspend()", timeout)


async def resume(dest: Dest, timeout: float | None = TIMEOUT) -> None:
    """Let a suspended server go on.

    Source:
        ``sys:resume/2``.
    """
    await _ask(dest, lambda process: setattr(process, "suspended", False), "resume()", timeout)


async def trace(
    dest: Dest,
    on: bool | Callable[[DebugEvent], object],
    timeout: float | None = TIMEOUT,
) -> None:
    """Show what the server does: each message, and the result of each callback.

    Args:
        dest: Pid, name or via name.
        on: True prints; a function is called with each `DebugEvent`; False ends every trace.
        timeout: Seconds to wait; ``None`` waits for ever.

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
