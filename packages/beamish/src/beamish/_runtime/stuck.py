"""Where a process is stuck: in which callback, and what that waits for."""

from types import CodeType
from typing import Any

from beamish._runtime.process import Process


def place(process: Process) -> str | None:
    """Say where ``process`` is busy, or ``None`` if it is not."""
    callback = process.current_callback()
    if callback is None:
        return "suspended" if process.status() == "suspended" else None
    waiting = None if process.task is None else _innermost(process.task.get_coro())
    return f"busy with {callback}" if waiting is None else f"busy with {callback}, {waiting}"


def _innermost(coroutine: Any) -> str | None:
    """Follow what a coroutine awaits, down to what does not run Python code."""
    found = None
    while coroutine is not None:
        coroutine = getattr(coroutine, "_coroutine", coroutine)  # of `eager`, which wraps it
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            found = _line(frame.f_code, frame.f_lineno)
        waits_for = getattr(coroutine, "cr_await", None)
        coroutine = waits_for or getattr(coroutine, "gi_yieldfrom", None)
    return found


def _line(code: CodeType, line: int) -> str:
    return f"waiting in {code.co_qualname} ({code.co_filename}:{line})"
