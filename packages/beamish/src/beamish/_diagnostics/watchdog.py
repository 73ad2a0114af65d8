"""Reports callbacks that block the event loop, and mailboxes that grow.

One thread checks all event loops at intervals. It costs the callbacks nothing: the thread finds
the running callback on the stack of the event loop's thread.
"""

import asyncio
import gc
import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any
from weakref import WeakSet, ref

from beamish._diagnostics import mailboxes
from beamish._diagnostics.awake import AwakeClock
from beamish._diagnostics.limits import emit, limits
from beamish._native import core
from beamish._runtime.context import current_pid

_log = logging.getLogger("beamish")

_CHECK_INTERVAL = 0.05  # seconds between two checks; half of the limit, if that is less
# CPython collects garbage inside allocations until 3.11, and between two instructions since 3.12.
_COLLECTS_IN_ALLOCATIONS = sys.version_info < (3, 12)
# `frame.f_locals` is a dict that the frame keeps until 3.12, and a view since 3.13.
_FRAMES_KEEP_LOCALS = sys.version_info < (3, 13)

_entries: set[CodeType] = set()  # the code of functions that enter a callback
_clients: set[CodeType] = set()  # the code of clients from which the native core enters one
_runtimes: "WeakSet[Any]" = WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None
_clock = AwakeClock()  # used only in the watchdog's thread


def mark(function: Any) -> Any:
    """Register ``function`` as one that enters a callback; its first argument is the process."""
    _entries.add(function.__code__)
    return function


def mark_client(make: Any) -> None:
    """Register the client functions that ``make`` creates: the native core can be above them.

    The core has no frame of its own on the stack.
    """
    _clients.update(const for const in make.__code__.co_consts if isinstance(const, CodeType))


def watch(runtime: Any) -> None:
    """Start to check ``runtime``, whose event loop runs in this thread."""
    global _thread
    with _lock:
        _runtimes.add(runtime)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="beamish watchdog", daemon=True)
            _thread.start()


class _Callback:
    """A callback that was on the stack in the previous check.

    Attributes:
        since: Time of the check that found it first.
        reported: Whether it was reported.
        values: What `_read` returned about its frame in the last check.
    """

    def __init__(self, process: Any, frame: FrameType, values: tuple[Any, ...]) -> None:
        self._key = self._identify(process, frame)
        self.since = _clock.seconds
        self.reported = False
        self.values = values

    @staticmethod
    def _identify(process: Any, frame: FrameType) -> tuple[Any, ...]:
        # The pid, not the process: the watchdog must not keep a dead process in memory.
        return process.pid, process.handled, process.current_callback(), id(frame)

    def is_still(self, process: Any, frame: FrameType) -> bool:
        """Return whether this is the same run of the same callback."""
        return self._key == self._identify(process, frame)


class _Step:
    """A task that was running in the previous check, in one long step or one of many short ones.

    To tell the two apart, `send_beat` schedules a callback on the event loop. As long as the loop
    has not run it, the task is still in the same step, because the loop runs other callbacks
    between two steps.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = ref(task)
        self.since: float | None = None  # the time of `send_beat`
        self.over = False
        self.reported = False

    def is_still(self, task: asyncio.Task[Any]) -> bool:
        """Return whether this can be the same step."""
        return self._task() is task and not self.over

    def send_beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Schedule a callback on the event loop that ends this step."""
        self.since = _clock.seconds
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(self._beat)

    def _beat(self) -> None:
        self.over = True


_Sightings = dict[int, "_Callback | _Step"]  # by thread


def _run() -> None:
    sightings: _Sightings = {}
    while True:
        time.sleep(_pause())
        _clock.tick()
        with _lock:
            runtimes = [runtime for runtime in _runtimes if not runtime.loop.is_closed()]
            if not runtimes:
                global _thread
                _thread = None
                return
        for runtime in runtimes:
            try:
                mailboxes.check(runtime)
                _check(runtime, sightings)
            except Exception:  # of users' names and classes; the checks must continue
                _log.exception("the watchdog could not check its event loop")
        del runtimes, runtime  # pyright: ignore[reportPossiblyUnboundVariable]


def _pause() -> float:
    limit = limits.long_schedule
    return _CHECK_INTERVAL if limit is None else min(_CHECK_INTERVAL, limit / 2)


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A callback that has blocked its event loop for too long.

    Attributes:
        process: The process that runs it.
        callback: Its name.
        since: Its start, in seconds of the watchdog's clock.
        stack: The frames of the thread, the innermost first, each with its line.
    """

    process: Any
    callback: str | None
    since: float
    stack: list[tuple[FrameType, int]]


@contextmanager
def _frames_stay_valid() -> Iterator[None]:
    """Make it safe to read frames of another thread.

    Reading ``f_back`` or ``f_locals`` allocates. If CPython 3.11 collects garbage in that
    allocation, a finalizer can release the GIL, the other thread returns from its function, and
    the reader continues with the memory of a frame that is gone: the interpreter crashes. So
    nothing is collected meanwhile. A `gc.disable` of another thread would be undone if it came in
    this block, which does not wait and takes less than the interpreter's switch interval.
    """
    if not _COLLECTS_IN_ALLOCATIONS or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check(runtime: Any, sightings: _Sightings) -> None:
    blocked = _look(runtime, sightings)
    if blocked is not None:
        _report(blocked)


def _look(runtime: Any, sightings: _Sightings) -> _Blocked | None:
    """Look at the stack of an event loop's thread; return a callback that must be reported."""
    with _frames_stay_valid():
        top = sys._current_frames().get(runtime.thread)
        limit = limits.long_schedule
        process, frame, values = _entered(top, runtime.thread)
        task = asyncio.current_task(runtime.loop)
        seen = sightings.get(runtime.thread)
        if limit is None or top is None:
            sightings.pop(runtime.thread, None)
        elif process is not None and frame is not None and process.runtime is runtime:
            if not isinstance(seen, _Callback) or not seen.is_still(process, frame):
                sightings[runtime.thread] = _Callback(process, frame, values)
                return None
            seen.values = values
            if not seen.reported and _clock.seconds - seen.since >= limit:
                seen.reported = True
                callback = process.current_callback()
                return _Blocked(process, callback, seen.since, [*traceback.walk_stack(top)])
        elif task is not None:
            return _check_task(runtime, task, top, sightings)
        else:
            sightings.pop(runtime.thread, None)
        return None


def _entered(top: FrameType | None, thread: int) -> tuple[Any, FrameType | None, tuple[Any, ...]]:
    """Return the process of the innermost callback on a stack, and the frame that entered it.

    Also returns what `_read` returned about that frame.
    """
    in_call, in_turn = (None, None) if core is None else core.entered(thread)
    frame = bottom = top
    while frame is not None:
        if frame.f_code in _entries:
            process, values = _read(frame)
            return process, frame, values
        if in_call is not None and frame.f_code in _clients:
            return in_call, frame, ()
        frame, bottom = frame.f_back, frame
    # The core runs a turn below all frames of the callback, right above the event loop.
    if in_turn is not None and in_turn.current_callback() is not None:
        return in_turn, bottom, ()
    return None, None, ()


def _read(frame: FrameType) -> tuple[Any, tuple[Any, ...]]:
    """Return the first argument of a function of ours that is running, and its other values.

    The next read of the frame puts its new values in place of these. If nothing else kept them, a
    finalizer could release the GIL in the middle of that read, as in `_frames_stay_valid`. So the
    caller keeps them until then. They cannot be removed: a debugger writes them back.
    """
    values = frame.f_locals
    process = values[frame.f_code.co_varnames[0]]
    if not _FRAMES_KEEP_LOCALS:
        return process, ()
    # Without the process: the watchdog must not keep a dead one in memory.
    return process, tuple(value for value in values.values() if value is not process)


def _check_task(
    runtime: Any, task: asyncio.Task[Any], top: FrameType, sightings: _Sightings
) -> _Blocked | None:
    """Check code that runs outside of `enter`: async callbacks, spawned and attached tasks."""
    limit = limits.long_schedule or 0.0
    seen = sightings.get(runtime.thread)
    if not isinstance(seen, _Step) or not seen.is_still(task):
        sightings[runtime.thread] = _Step(task)
    elif seen.since is None:
        seen.send_beat(runtime.loop)
    elif not seen.reported and _clock.seconds - seen.since >= limit:
        seen.reported = True
        process = _owner(runtime, task)
        if process is not None:
            callback = process.current_callback() or task.get_name()
            return _Blocked(process, callback, seen.since, [*traceback.walk_stack(top)])
    return None


def _owner(runtime: Any, task: asyncio.Task[Any]) -> Any:
    """Return the process that ``task`` runs or belongs to, or ``None``."""
    if sys.version_info >= (3, 12):
        pid = task.get_context().get(current_pid)
        return None if pid is None else pid._process
    processes = (pid._process for pid in list(runtime.processes))
    return next((process for process in processes if process and process.task is task), None)


def _report(blocked: _Blocked) -> None:
    seconds = _clock.seconds - blocked.since
    stack = "".join(traceback.StackSummary.extract(iter(blocked.stack[::-1])).format())
    top, line = blocked.stack[0]
    process, callback = blocked.process, blocked.callback
    pid, class_name = process.pid, process.class_name()
    extra = {"beamish_pid": repr(pid), "beamish_class": class_name}
    _log.warning(
        "long schedule: %s %r has blocked the event loop for at least %.2f s in %s, at %s:%d",
        class_name,
        pid,
        seconds,
        callback,
        top.f_code.co_filename,
        line,
        extra=extra,
    )
    # At the level DEBUG, because a stack has dozens of lines.
    _log.debug("stack of the long schedule of %s %r:\n%s", class_name, pid, stack, extra=extra)
    facts = {"pid": pid, "class": process.kind(), "callback": callback, "stack": stack}
    emit(process.runtime, "long_schedule", {"duration_seconds": seconds}, facts)
