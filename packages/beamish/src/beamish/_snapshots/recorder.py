"""What is recorded while nobody looks: the last crashes, and ten minutes of a few figures.

It costs one reading of some counters every two seconds, whatever the number of processes, and
nothing for a message, a call or a start.
"""

import gc
import itertools
import logging
import os
import time
from asyncio import TimerHandle
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from traceback import format_exception, print_exc
from typing import Any

from beamish._runtime import hooks
from beamish._runtime.runtime import Runtime, running
from beamish._snapshots.encode import cut
from beamish.pid import Pid

SAMPLE_SECONDS = 2.0
MAX_SAMPLES = 300
"""Samples that are kept: ten minutes."""

MAX_CRASHES = 100
"""Crashes that are kept; older ones are dropped."""

_MAX_PREDECESSORS = 10_000  # pids whose successors are known
_MAX_MESSAGE_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A few figures at one time.

    Args:
        at: Time in seconds since the epoch.
        processes: Number of processes.
        lag_seconds: How late the event loop was to take this sample.
        busy: Share of the last interval in which the loop's thread used the processor, 0 to 1.
        rss_bytes: Memory of the program, or ``None`` where the system does not show it.
        crashes: Number of crashes since the last sample.
        restarts: Number of restarts since the last sample.
        handled: Messages handled per second, or ``None`` if no overview was open.
        queued: Number of queued messages, or ``None`` if no overview was open.
    """

    at: float
    processes: int
    lag_seconds: float
    busy: float
    rss_bytes: int | None
    crashes: int
    restarts: int
    handled: float | None
    queued: int | None


@dataclass(frozen=True, slots=True)
class Crash:
    """An error that the library has logged: a crash, a failed restart, or a supervisor's end.

    Args:
        id: Its number, from 1 on.
        at: Time in seconds since the epoch.
        pid: The ``repr`` of the process, or ``None``.
        class_name: Its class, or ``None``.
        name: Its name, or ``None``.
        reason: The first line of the message, and the exception.
        message: The message as it was logged; the state in it is that of ``format_status``.
        traceback: The traceback, or ``None``.
    """

    id: int
    at: float
    pid: str | None
    class_name: str | None
    name: str | None
    reason: str
    message: str
    traceback: str | None


class Recorder(logging.Filter):
    """Records crashes and samples from `begin` to `end`.

    A filter that passes every record, not a handler: `logging` prints errors of a program that
    configures no handlers, and would no longer if the library's logger had one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.crashes: deque[Crash] = deque(maxlen=MAX_CRASHES)
        self.crash_count: int = 0
        self.restart_count: int = 0
        self.action_count = 0
        self.began_at: float = 0.0
        self._ids = itertools.count(1)
        self._lineages: dict[str, tuple[str, int]] = {}  # pid to its predecessor and restarts
        self._timer: TimerHandle | None = None
        self._runtime: Runtime | None = None
        self._last = (0.0, 0.0, 0, 0)  # time, processor time, crashes, restarts
        self._load: tuple[float, float, int] | None = None

    # -- From begin to end

    def begin(self) -> None:
        """Start to record in the running event loop; no effect if it is recording there."""
        runtime = running()
        if self._runtime is runtime:
            return
        self.end()
        self._runtime = runtime
        self.began_at = time.time()
        logging.getLogger("beamish").addFilter(self)
        hooks.child_restarted.append(self._restarted)
        self._last = (runtime.loop.time(), time.thread_time(), self.crash_count, self.restart_count)
        self._schedule()

    def end(self) -> None:
        """Stop recording; the records stay."""
        if self._runtime is None:
            return
        self._runtime = None
        logging.getLogger("beamish").removeFilter(self)
        hooks.child_restarted.remove(self._restarted)
        if self._timer is not None:
            self._timer.cancel()

    # -- Samples

    def _schedule(self) -> None:
        assert self._runtime is not None  # noqa: S101 - `end` cancels the timer
        loop = self._runtime.loop
        self._timer = loop.call_later(SAMPLE_SECONDS, self._sample, loop.time() + SAMPLE_SECONDS)

    def _sample(self, due: float) -> None:
        runtime = self._runtime
        if runtime is None:
            return
        now, used = runtime.loop.time(), time.thread_time()
        before, used_before, crashes, restarts = self._last
        self._last = (now, used, self.crash_count, self.restart_count)
        load = self._load if self._load is not None and now - self._load[0] < 30.0 else None
        self._load = None
        self.samples.append(
            Sample(
                time.time(),
                len(runtime.processes),
                max(0.0, now - due),
                min(1.0, (used - used_before) / max(now - before, 1e-9)),
                rss_bytes(),
                self.crash_count - crashes,
                self.restart_count - restarts,
                None if load is None else load[1],
                None if load is None else load[2],
            )
        )
        self._schedule()

    def note_load(self, handled_per_second: float, queued: int) -> None:
        """Keep what an open overview has counted, for the next sample."""
        assert self._runtime is not None  # noqa: S101 - views begin it
        self._load = self._runtime.loop.time(), handled_per_second, queued

    # -- Crashes and restarts

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a record of an error; pass every record. Called by `logging`."""
        if record.levelno >= logging.ERROR:
            try:
                self._keep(record)
            except Exception:  # the record must reach the log, even if it cannot be kept
                if logging.raiseExceptions:  # as the handlers of `logging` do
                    print_exc()
        return True

    def _keep(self, record: logging.LogRecord) -> None:
        self.crash_count += 1
        message = record.getMessage()
        info: Any = record.exc_info
        self.crashes.append(
            Crash(
                next(self._ids),
                record.created,
                getattr(record, "beamish_pid", None),
                getattr(record, "beamish_class", None),
                getattr(record, "beamish_name", None),
                _reason(message),
                cut(message, _MAX_MESSAGE_CHARACTERS),
                cut("".join(format_exception(*info))) if info and info[0] else None,
            )
        )

    def _restarted(self, last: Pid, new: Pid) -> None:
        self.restart_count += 1
        _, restarts = self._lineages.get(repr(last), ("", 0))
        self._lineages[repr(new)] = repr(last), restarts + 1
        if len(self._lineages) > _MAX_PREDECESSORS:
            del self._lineages[next(iter(self._lineages))]

    def restarts_of(self, pid: Pid) -> int:
        """Return the number of restarts that led to ``pid``."""
        return self._lineages.get(repr(pid), ("", 0))[1]

    def crashes_of(self, pid: Pid) -> list[Crash]:
        """Return the kept crashes of ``pid`` and of the processes that it replaced."""
        known, current = set[str](), repr(pid)
        while current and current not in known:
            known.add(current)
            current = self._lineages.get(current, ("", 0))[0]
        return [crash for crash in reversed(self.crashes) if crash.pid in known]


def _reason(message: str) -> str:
    """Return the line of a crash report that names the exception, or the first line."""
    lines = message.splitlines() or [""]
    marked = (line.removeprefix("** ") for line in lines if line.startswith("** "))
    return cut(next(marked, lines[0]), 300)


def rss_bytes() -> int | None:
    """Return the memory of the program, or ``None`` where the system has no ``/proc``."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def collections() -> list[int]:
    """Return the number of garbage collections of each generation."""
    return [generation["collections"] for generation in gc.get_stats()]
