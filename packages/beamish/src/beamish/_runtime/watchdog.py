"""Notices callbacks that block the event loop, and mailboxes that grow.

One thread for all event loops looks at them now and then. It costs the callbacks nothing: what
runs is read off the stack of the loop's thread.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any
from weakref import WeakSet, ref

from beamish._runtime import mailboxes
from beamish._runtime.context import current_pid
from beamish._runtime.limits import limits, tell

_log = logging.getLogger("beamish")

_LOOK_SECONDS = 0.05  # between two looks, at most; half of the limit, if that is less

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


class _Callback:
    """A callback that was seen on the stack: which, and since when."""

    def __init__(self, process: Any, frame: FrameType) -> None:
        self._key = self._identify(process, frame)
        self.since = time.monotonic()
        self.reported = False

    @staticmethod
    def _identify(process: Any, frame: FrameType) -> tuple[Any, ...]:
        # The pid, not the process: who looks must not keep the dead in memory.
        return process.pid, process.handled, process.current_callback(), id(frame)

    def is_still(self, process: Any, frame: FrameType) -> bool:
        """Say whether this is the same run of the same callback."""
        return self._key == self._identify(process, frame)


class _Step:
    """A task that was seen running: its step may be a short one of many, or one that blocks.

    A task takes one step at most in each round of the event loop. So a task that runs whenever
    one looks is given a beat to wait for: as long as the loop has not come to that, the step is
    the same.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = ref(task)
        self.since: float | None = None  # when the beat was sent
        self.over = False
        self.reported = False

    def is_still(self, task: asyncio.Task[Any]) -> bool:
        """Say whether this may be the same step."""
        return self._task() is task and not self.over

    def send_beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the loop for a sign of life."""
        self.since = time.monotonic()
        with suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(self._beat)

    def _beat(self) -> None:
        self.over = True


_Sightings = dict[int, "_Callback | _Step"]  # by thread


def _look() -> None:
    sightings: _Sightings = {}
    while True:
        time.sleep(_pause())
        with _lock:
            runtimes = [runtime for runtime in _runtimes if not runtime.loop.is_closed()]
            if not runtimes:
                global _thread
                _thread = None
                return
        frames = sys._current_frames()
        for runtime in runtimes:
            try:
                mailboxes.look_at(runtime)
                _look_at(runtime, frames.get(runtime.thread), sightings)
            except Exception:  # it goes on whatever it sees: names and classes are the users'
                _log.exception("the watchdog could not look at its event loop")
        del frames, runtimes, runtime


def _pause() -> float:
    limit = limits.long_schedule
    return _LOOK_SECONDS if limit is None else min(_LOOK_SECONDS, limit / 2)


def _look_at(runtime: Any, top: FrameType | None, sightings: _Sightings) -> None:
    limit = limits.long_schedule
    process, frame = _entered(top)
    task = asyncio.current_task(runtime.loop)
    seen = sightings.get(runtime.thread)
    if limit is None or top is None:
        sightings.pop(runtime.thread, None)
    elif process is not None and frame is not None and process.runtime is runtime:
        if not isinstance(seen, _Callback) or not seen.is_still(process, frame):
            sightings[runtime.thread] = _Callback(process, frame)
        elif not seen.reported and time.monotonic() - seen.since >= limit:
            seen.reported = True
            _report(process, process.current_callback(), seen.since, top)
    elif task is not None:
        _look_at_task(runtime, task, top, sightings)
    else:
        sightings.pop(runtime.thread, None)


def _entered(frame: FrameType | None) -> tuple[Any, FrameType | None]:
    """Find the innermost callback on a stack: its process, and the frame that entered it."""
    while frame is not None:
        if frame.f_code in _entries:
            return frame.f_locals[frame.f_code.co_varnames[0]], frame
        frame = frame.f_back
    return None, None


def _look_at_task(
    runtime: Any, task: asyncio.Task[Any], top: FrameType, sightings: _Sightings
) -> None:
    """Look at what runs outside of `enter`: async callbacks, and spawned or attached tasks."""
    limit = limits.long_schedule or 0.0
    seen = sightings.get(runtime.thread)
    if not isinstance(seen, _Step) or not seen.is_still(task):
        sightings[runtime.thread] = _Step(task)
    elif seen.since is None:
        seen.send_beat(runtime.loop)
    elif not seen.reported and time.monotonic() - seen.since >= limit:
        seen.reported = True
        process = _owner(runtime, task)
        if process is not None:
            callback = process.current_callback() or task.get_name()
            _report(process, callback, seen.since, top)


def _owner(runtime: Any, task: asyncio.Task[Any]) -> Any:
    """Find the process that ``task`` runs, or belongs to."""
    if sys.version_info >= (3, 12):
        pid = task.get_context().get(current_pid)
        return None if pid is None else pid._process
    processes = (pid._process for pid in list(runtime.processes))
    return next((process for process in processes if process and process.task is task), None)


def _report(process: Any, callback: str | None, since: float, top: FrameType) -> None:
    seconds = time.monotonic() - since
    stack = "".join(traceback.format_stack(top))
    pid, class_name = process.pid, process.class_name()
    extra = {"beamish_pid": repr(pid), "beamish_class": class_name}
    _log.warning(
        "long schedule: %s %r has blocked the event loop for at least %.2f s in %s, at %s:%d",
        class_name,
        pid,
        seconds,
        callback,
        top.f_code.co_filename,
        top.f_lineno,
        extra=extra,
    )
    # One slow call is worth a line, not the dozens of lines that its stack has.
    _log.debug("stack of the long schedule of %s %r:\n%s", class_name, pid, stack, extra=extra)
    facts = {"pid": pid, "class": process.kind(), "callback": callback, "stack": stack}
    tell(process.runtime, "long_schedule", {"duration_seconds": seconds}, facts)
