"""Describes where a process is stuck: its callback, and the line that it waits in."""

from types import CodeType
from typing import Any

from beamish._runtime.process import Process


def place(process: Process) -> str | None:
    """Return where ``process`` is busy, or ``None`` if it is not."""
    callback = process.current_callback()
    if callback is None:
        return "suspended" if process.status() == "suspended" else None
    waiting = None if process.task is None else _innermost(process.task.get_coro())
    return f"busy with {callback}" if waiting is None else f"busy with {callback}, {waiting}"


def _innermost(coroutine: Any) -> str | None:
    """Return the innermost line of Python code that a coroutine waits in."""
    found = None
    while coroutine is not None:
        # `eager` and `Observed` wrap the coroutine of a callback.
        coroutine = getattr(coroutine, "_coroutine", coroutine)
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            found = _line(frame.f_code, frame.f_lineno)
        waits_for = getattr(coroutine, "cr_await", None)
        coroutine = waits_for or getattr(coroutine, "gi_yieldfrom", None)
    return found


def _line(code: CodeType, line: int) -> str:
    return f"waiting in {code.co_qualname} ({code.co_filename}:{line})"
