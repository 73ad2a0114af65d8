"""The overview: versions, counts, classes, and the latest figures."""

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version

from beamish._runtime.runtime import running
from beamish._snapshots.processes import servers
from beamish._snapshots.recorder import Recorder, Sample, collections, rss_bytes
from beamish._snapshots.slices import sliced
from beamish._snapshots.supervisors import is_supervisor

MAX_CLASSES = 20


@dataclass(slots=True)
class ClassCount:
    """The processes of one class, their queued messages, and those of the longest mailbox."""

    class_name: str
    processes: int = 0
    queued: int = 0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of the program's parts, and where it runs."""

    beamish: str
    python: str
    loop: str
    platform: str
    os_pid: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of the whole program.

    Args:
        versions: Versions.
        now: Time in seconds since the epoch.
        recording_since: Time since which crashes and restarts are counted.
        oldest_started_at: Start of the oldest process.
        processes: Number of processes.
        supervisors: Number of supervisors.
        names: Number of local names.
        queued: Number of queued messages.
        handled: Number of messages handled by the live processes.
        handled_per_second: Messages handled per second since the last overview, or ``None``.
        crashes: Number of errors that the library has logged.
        restarts: Number of restarts.
        actions: Number of actions that an observer has run.
        rss_bytes: Memory of the program, or ``None`` where the system does not show it.
        collections: Number of garbage collections of each generation.
        classes: The classes with most processes.
        class_count: Number of classes.
        sample: The latest sample, or ``None``.
    """

    versions: Versions
    now: float
    recording_since: float
    oldest_started_at: float | None
    processes: int
    supervisors: int
    names: int
    queued: int
    handled: int
    handled_per_second: float | None
    crashes: int
    restarts: int
    actions: int
    rss_bytes: int | None
    collections: list[int]
    classes: list[ClassCount]
    class_count: int
    sample: Sample | None


class OverviewReader:
    """Reads overviews; the rate of messages is that since the last one.

    Args:
        recorder: Has the samples and the crashes; gets the load that each overview counts.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._versions = _versions()
        self._last: tuple[float, int] | None = None

    async def read(self) -> Overview:
        """Return the overview now."""
        runtime, recorder = running(), self._recorder
        counts, handled = await _count()
        queued = sum(count.queued for count in counts)
        rate = self._rate(handled)
        if rate is not None:
            recorder.note_load(rate, queued)
        oldest = next(iter(runtime.processes), None)
        first = None if oldest is None else oldest._process
        return Overview(
            self._versions,
            time.time(),
            recorder.began_at,
            None if first is None else first.started_at,
            len(runtime.processes),
            len(await servers(is_supervisor)),
            len(runtime.names),
            queued,
            handled,
            rate,
            recorder.crash_count,
            recorder.restart_count,
            recorder.action_count,
            rss_bytes(),
            collections(),
            sorted(counts, key=lambda count: -count.processes)[:MAX_CLASSES],
            len(counts),
            recorder.samples[-1] if recorder.samples else None,
        )

    def close(self) -> None:
        """Do nothing: nothing is attached."""

    def _rate(self, handled: int) -> float | None:
        now, last = time.monotonic(), self._last
        self._last = now, handled
        # Processes that have exited take their counts with them: never less than zero.
        return None if last is None else max(0, handled - last[1]) / max(now - last[0], 1e-9)


async def _count() -> tuple[list[ClassCount], int]:
    counts: dict[str, ClassCount] = {}
    handled = 0
    async for batch in sliced(list(running().processes)):
        for pid in batch:
            process = pid._process
            if process is None:
                continue
            handled += process.handled
            kind, queued = process.kind(), process.queue_length()
            count = counts.get(kind)
            if count is None:
                count = counts[kind] = ClassCount(kind)
            count.processes += 1
            if queued:
                count.queued += queued
                count.longest = max(count.longest, queued)
    return list(counts.values()), handled


def _versions() -> Versions:
    loop = type(running().loop)
    return Versions(
        version("beamish"),
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{loop.__module__.partition('.')[0]} {loop.__qualname__}",
        platform.platform(aliased=True, terse=True),
        os.getpid(),
    )
