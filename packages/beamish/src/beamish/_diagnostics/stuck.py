"""Describes where a process is stuck: its callback, and the line that it waits in."""

from collections.abc import Iterator
from types import CoroutineType, FrameType
from typing import Any

from beamish._runtime.process import Process

# Of a coroutine, a generator and an asynchronous generator: its frame, and what it waits for.
_ATTRIBUTES = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def place(process: Process) -> str | None:
    """Return where ``process`` is busy, or ``None`` if it is not."""
    callback = process.current_callback()
    if callback is None:
        return "suspended" if process.status() == "suspended" else None
    waiting = [] if process.task is None else list(frames(process.task.get_coro()))
    return f"busy with {callback}, {_line(waiting[-1])}" if waiting else f"busy with {callback}"


def frames(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine that waits, the outermost first."""
    while coroutine is not None:
        if type(coroutine) is CoroutineType:  # most are; a simulation asks at each of its steps
            frame = coroutine.cr_frame
            if frame is None:
                return
            yield frame
            coroutine = coroutine.cr_await
            continue
        # `eager` and `Observed` wrap the coroutine of a callback.
        coroutine = getattr(coroutine, "_coroutine", coroutine)
        for own, inner in _ATTRIBUTES:
            frame = getattr(coroutine, own, None)
            if frame is not None:
                yield frame
                coroutine = getattr(coroutine, inner)
                break
        else:
            return


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f"waiting in {code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
