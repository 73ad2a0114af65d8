"""Notices callbacks that block the event loop.

One thread for all event loops looks at them now and then. It costs the callbacks nothing: what
runs is read off the stack of the loop's thread.
"""

import logging
import sys
import threading
import time
import traceback
from types import CodeType, FrameType
from typing import Any
from weakref import WeakSet

from beamish import telemetry

_log = logging.getLogger("beamish")

LIMIT_SECONDS = 0.1
_LOOK_SECONDS = 0.05

_entries: set[CodeType] = set()
_runtimes: "WeakSet[Any]" = WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def mark(function: Any) -> Any:
    """Declare that ``function`` enters a callback, and has the process as its first argument."""
    _entries.add(function.__code__)
    return function


def watch(runtime: Any) -> None:
    """Look at ``runtime``, whose loop runs in this thread, from now on."""
    global _thread
    with _lock:
        _runtimes.add(runtime)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_look, name="beamish watchdog", daemon=True)
            _thread.start()


class _Sighting:
    """A callback that was seen running: which, and since when."""

    def __init__(self, process: Any, frame: FrameType) -> None:
        self.process = process
        self.handled = process.handled
        self.frame_id = id(frame)
        self.since = time.monotonic()
        self.reported = False

    def is_still(self, process: Any, frame: FrameType) -> bool:
        same = self.process is process and self.handled == process.handled
        return same and self.frame_id == id(frame)


def _look() -> None:
    sightings: dict[int, _Sighting] = {}
    while True:
        time.sleep(_LOOK_SECONDS)
        with _lock:
            runtimes = [runtime for runtime in _runtimes if not runtime.loop.is_closed()]
            if not runtimes:
                global _thread
                _thread = None
                return
        frames = sys._current_frames()
        for runtime in runtimes:
            _look_at(runtime, frames.get(runtime.thread), sightings)
        del frames, runtimes


def _look_at(runtime: Any, frame: FrameType | None, sightings: dict[int, _Sighting]) -> None:
    top, process = frame, None
    while frame is not None:
        if frame.f_code in _entries:
            process = frame.f_locals[frame.f_code.co_varnames[0]]
            break
        frame = frame.f_back
    seen = sightings.get(runtime.thread)
    if process is None or frame is None or process.runtime is not runtime:
        sightings.pop(runtime.thread, None)
    elif seen is None or not seen.is_still(process, frame):
        sightings[runtime.thread] = _Sighting(process, frame)
    elif not seen.reported and time.monotonic() - seen.since >= LIMIT_SECONDS - _LOOK_SECONDS:
        seen.reported = True
        _report(runtime, process, seen, "".join(traceback.format_stack(top)))


def _report(runtime: Any, process: Any, seen: _Sighting, stack: str) -> None:
    seconds = time.monotonic() - seen.since
    pid, class_name, callback = process.pid, process.class_name(), process.current_callback()
    _log.warning(
        "long schedule: %s %r has blocked the event loop for at least %.2f s in %s\n%s",
        class_name,
        pid,
        seconds,
        callback,
        stack,
    )
    if telemetry.enabled:
        facts = {"pid": pid, "class": class_name, "callback": callback}
        runtime.loop.call_soon_threadsafe(
            telemetry.execute,
            ("beamish", "process", "long_schedule"),
            {"duration_seconds": seconds},
            facts,
        )
