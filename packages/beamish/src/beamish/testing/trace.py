"""What a simulation did, step by step."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

from beamish._runtime.context import current_pid
from beamish._runtime.process import Process
from beamish._server.process import ServerProcess
from beamish._server.requests import describe
from beamish.testing import waiting
from beamish.testing.lanes import owner_of

KEPT = 40  # of the last steps
_ADDRESS = re.compile(" at 0x[0-9a-f]+")  # another one in each replay
_WIDTH = 100  # characters of a message that are shown


class Trace:
    """The last steps of a simulation.

    Args:
        write: Is given each step as a line, if it is there.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._steps = 0
        self._now = 0.0
        self._ended = False

    def step(self, now: float, handle: asyncio.Handle) -> None:
        """Note that ``handle`` is about to run."""
        self._steps += 1
        self._now = now
        self._note(*_shown(handle))

    def direct(self, frame: FrameType) -> None:
        """Note that a call is about to run on the caller's stack; ``frame`` begins it."""
        seen = frame.f_locals
        if frame.f_code.co_name == "client":
            process, name, args = seen["_b_process"], seen["_b_function"].__name__, _passed(frame)
        elif frame.f_code.co_name == "request":
            process, name, args = seen["self"], seen["name"], seen["args"]
        else:
            return  # something that may give way, and goes on
        self._note(waiting.who(process), f"handles {_request(name, args)} at once, for its caller")

    def _note(self, who: str, what: str) -> None:
        if self._ended:
            return
        line = f"{self._steps:>6}  {self._now:10.6f} s  {who}: {what}"
        self._lines.append(line)
        if self._write is not None:
            self._write(line)

    def end(self) -> None:
        """Note nothing any more: what comes now is the clean-up."""
        self._ended = True

    def story(self) -> str:
        """Return the last steps, one a line."""
        return "\n".join(("the last steps:", *self._lines))


def _passed(frame: FrameType) -> tuple[Any, ...]:
    code, seen = frame.f_code, frame.f_locals
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return tuple(seen[name] for name in names[1:])  # the first is the destination


def _request(name: str, args: tuple[Any, ...]) -> str:
    if name == "system":
        return type(args[1]).__name__.lstrip("_")
    if name == "handle_call":
        args = args[:1]  # without the From
    return _ADDRESS.sub("", describe(name, args, _WIDTH))


def _shown(handle: asyncio.Handle) -> tuple[str, str]:
    """Say who runs, and what it is about to do."""
    owner = owner_of(handle)
    if isinstance(owner, ServerProcess):
        return waiting.who(owner), _turn(owner)
    if isinstance(owner, Process):
        return waiting.who(owner), "has returned"
    if isinstance(owner, asyncio.Task):
        return _runner(owner, handle), f"goes on in {waiting.place(owner)}"
    kind = "timer" if isinstance(handle, asyncio.TimerHandle) else "callback"
    return kind, _callback(handle)


def _runner(task: asyncio.Task[Any], handle: asyncio.Handle) -> str:
    pid = handle._context.get(current_pid)  # type: ignore[attr-defined]
    process = None if pid is None else pid._process
    if process is None:
        return f"task {task.get_name()}"
    return waiting.who(process) if process.task is task else f"a task of {waiting.who(process)}"


def _turn(process: ServerProcess) -> str:
    if process.callback is not None:
        return f"{process.callback} has returned"
    if not process.mailbox:
        return "has nothing to do"
    callback, args, *_ = process.mailbox[0]
    return f"handles {_request(callback.name, args)}"


def _callback(handle: asyncio.Handle) -> str:
    callback: Any = handle._callback  # type: ignore[attr-defined]
    args = handle._args
    for value in args or ():
        inner = getattr(value, "callback", None)
        if callable(inner):  # a timer of ours
            callback = inner
    name: str = getattr(callback, "__qualname__", None) or type(callback).__qualname__
    return "asyncio.sleep" if name == "_set_result_unless_cancelled" else name
