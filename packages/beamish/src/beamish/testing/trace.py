"""The steps of a simulation."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from beamish._runtime.context import current_pid
from beamish._runtime.process import Process
from beamish._server.process import ServerProcess
from beamish._server.requests import describe
from beamish.testing import waiting
from beamish.testing.lanes import owner_of

KEPT = 40  # of the last steps
_ADDRESS = re.compile(" at 0x[0-9a-f]+")  # differs in each replay
_MAX_MESSAGE_CHARACTERS = 100

# Its number, the time in seconds, who does it, and what is done. Nearly all steps are forgotten, so
# only those that are shown become lines of text.
_Step: TypeAlias = tuple[int, float, str, str]


class Trace:
    """The last steps of a simulation.

    Args:
        write: Called with each step as a line of text.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._kept: deque[_Step] = deque(maxlen=KEPT)
        self._steps = 0
        self._now = 0.0
        self._ended = False

    def step(self, now: float, handle: asyncio.Handle) -> None:
        """Record that ``handle`` is about to run."""
        self._steps += 1
        self._now = now
        self._note(*_shown(handle))

    def direct(self, process: Process, name: str, args: tuple[Any, ...]) -> None:
        """Record that a call of ``process`` is about to run on its caller's stack."""
        self._note(waiting.who(process), f"handles {_request(name, args)} on its caller's stack")

    def _note(self, who: str, what: str) -> None:
        if self._ended:
            return
        step = (self._steps, self._now, who, what)
        self._kept.append(step)
        if self._write is not None:
            self._write(_line(step))

    def end(self) -> None:
        """Stop recording: the cleanup begins."""
        self._ended = True

    def story(self) -> str:
        """Return the last steps, one per line."""
        return "\n".join(("the last steps:", *map(_line, self._kept)))


def _line(step: _Step) -> str:
    number, now, who, what = step
    return f"{number:>6}  {now:10.6f} s  {who}: {what}"


def _request(name: str, args: tuple[Any, ...]) -> str:
    if name == "system":
        return type(args[1]).__name__.lstrip("_")
    if name == "handle_call":
        args = args[:1]  # without the From
    text = describe(name, args, _MAX_MESSAGE_CHARACTERS)
    return _ADDRESS.sub("", text) if " at 0x" in text else text


def _shown(handle: asyncio.Handle) -> tuple[str, str]:
    """Return the owner of ``handle`` and its next step."""
    owner = owner_of(handle)
    if isinstance(owner, ServerProcess):
        return waiting.who(owner), _turn(owner)
    if isinstance(owner, Process):
        return waiting.who(owner), "has returned"
    if isinstance(owner, asyncio.Task):
        return _runner(owner, handle), f"continues in {waiting.place(owner)}"
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
    callback, args, _, _, _ = process.item_of(process.mailbox[0])
    return f"handles {_request(callback.name, args)}"


def _callback(handle: asyncio.Handle) -> str:
    callback: Any = handle._callback  # type: ignore[attr-defined]
    args = handle._args
    for value in args or ():
        inner = getattr(value, "callback", None)
        if callable(inner):  # a beamish timer
            callback = inner
    name: str = getattr(callback, "__qualname__", None) or type(callback).__qualname__
    return "asyncio.sleep" if name == "_set_result_unless_cancelled" else name
