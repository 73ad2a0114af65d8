"""Actions on a process: kill, stop, restart, suspend, resume, and trace it for a while."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from beamish import debug, process
from beamish._diagnostics import system
from beamish._server.process import ServerProcess
from beamish._snapshots.details import find
from beamish._snapshots.encode import cut
from beamish._snapshots.query import UnknownError
from beamish.debug import DebugEvent
from beamish.errors import BeamishError
from beamish.pid import Pid
from beamish.supervisor import Supervisor

ACTIONS = ("kill", "stop", "restart", "suspend", "resume")

ACTION_SECONDS = 5.0
"""Time that an action waits for its effect; a server that is stuck can take longer."""

TRACE_SECONDS = 60.0
MAX_TRACE_EVENTS = 1_000
_MAX_EVENT_CHARACTERS = 2_000

_restarts: set[asyncio.Task[Any]] = set()


class ActionError(BeamishError):
    """The action does not apply to this process, or has had no effect yet."""


async def act(action: str, wanted: str) -> str:
    """Run an action on a process, and return its result in words.

    Args:
        action: One of `ACTIONS`.
        wanted: The number of its pid, or its local name.

    Raises:
        UnknownError: There is no such action.
        NoProcessError: There is no such process.
        ActionError: The action does not apply to it.
        BeamishError: The process is stuck; the message says where.
    """
    if action not in ACTIONS:
        raise UnknownError(f"unknown action {action[:50]!r}; use {', '.join(ACTIONS)}, trace")
    target = find(wanted)
    if action == "restart":
        return await _restart(target)
    if action == "kill":
        process.exit(target.pid, "kill")
        return "killed"
    if action == "stop":
        return await _stop(target)
    _check_server(target, action)
    await getattr(debug, action)(target.pid, ACTION_SECONDS)
    return "suspended" if action == "suspend" else "resumed"


def _check_server(target: Any, action: str) -> None:
    if not isinstance(target, ServerProcess):
        raise ActionError(f"{target.pid!r} is not a server: {action} needs one; kill or stop it")


async def _stop(target: Any) -> str:
    if isinstance(target, ServerProcess):
        await system.stop(target.pid, "shutdown", ACTION_SECONDS)
        return "stopped"
    process.exit(target.pid, "shutdown")
    return "told to stop"


async def _restart(target: Any) -> str:
    """Stop and start a child of a `Supervisor`; it does not count as one of its restarts."""
    parent = target.parent_pid()
    supervisor = None if parent is None else getattr(parent._process, "server", None)
    child = None
    if isinstance(supervisor, Supervisor):
        child = supervisor._by_pid.get(target.pid)
    if parent is None or child is None or child.spec.restart == "temporary":
        raise ActionError(
            f"{target.pid!r} is not a permanent or transient child of a Supervisor; kill it, and "
            "its supervisor restarts it as its specification says"
        )
    # A task of its own: a viewer that leaves must not leave the child stopped.
    task = asyncio.get_running_loop().create_task(_start_again(parent, child.spec.id))
    _restarts.add(task)
    task.add_done_callback(_restarts.discard)
    done, _ = await asyncio.wait({task}, timeout=ACTION_SECONDS)
    if not done:
        raise ActionError("the restart goes on: the child has not stopped or started in time")
    return f"restarted as {task.result()!r}"


async def _start_again(supervisor: Pid, child: Any) -> Pid:
    await Supervisor.terminate_child(supervisor, child)
    return await Supervisor.restart_child(supervisor, child)


# -- Tracing


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """Something that a traced server did: the time in seconds since the epoch, and a line."""

    at: float
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """The end of a trace, and why it ended."""

    reason: str


@asynccontextmanager
async def traced(wanted: str) -> AsyncIterator[AsyncIterator[TraceEvent | TraceEnd]]:
    """Trace a server within a block; the iterator ends after `TRACE_SECONDS` or with a limit.

    Args:
        wanted: The number of its pid, or its local name.

    Raises:
        NoProcessError: There is no such process.
        ActionError: It is not a server.
        CallTimeoutError: It is stuck; the message says where.
    """
    target = find(wanted)
    _check_server(target, "trace")
    # One more than the limit: the reader learns that there were more, and the server never waits.
    queue: asyncio.Queue[TraceEvent | TraceEnd] = asyncio.Queue(MAX_TRACE_EVENTS + 1)

    def handle(event: DebugEvent) -> None:
        with suppress(asyncio.QueueFull):
            line = cut(str(event).removeprefix(f"*DBG* {event.pid!r} "), _MAX_EVENT_CHARACTERS)
            queue.put_nowait(TraceEvent(event.at, event.what, line))

    await debug.trace(target.pid, handle, ACTION_SECONDS)
    try:
        yield _events(target.pid, queue)
    finally:
        _remove(target, handle)


async def _events(
    pid: Pid, queue: "asyncio.Queue[TraceEvent | TraceEnd]"
) -> AsyncIterator[TraceEvent | TraceEnd]:
    end = time.monotonic() + TRACE_SECONDS
    for _ in range(MAX_TRACE_EVENTS):
        while True:
            left = end - time.monotonic()
            if left <= 0:
                yield TraceEnd(f"{TRACE_SECONDS:g} s are over")
                return
            if not process.is_alive(pid) and queue.empty():
                yield TraceEnd("the process has exited")
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, 0.5)):
                    yield await queue.get()
                    break
    yield TraceEnd(f"{MAX_TRACE_EVENTS:,} events have been shown")


def _remove(target: Any, handle: Any) -> None:
    """Remove one handler; the traces of others go on.

    Not through a request to the server, which can be stuck: it is plain data of the same thread.
    """
    debugging = target.debugging
    if debugging is None or handle not in debugging.handlers:
        return
    debugging.handlers.remove(handle)
    if not debugging.is_on:
        target.debugging = None
