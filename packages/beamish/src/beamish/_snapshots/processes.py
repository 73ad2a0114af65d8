"""The table of processes: the first rows in some order, of any number of processes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from beamish._runtime import one_or_many
from beamish._runtime.process import HeldName
from beamish._runtime.runtime import running
from beamish._snapshots.busy import BusyTimes
from beamish._snapshots.encode import named, text
from beamish._snapshots.query import Query
from beamish._snapshots.slices import sliced
from beamish.pid import Pid


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One row of the table.

    Args:
        pid: The process.
        name: Its first name, or its label; empty if it has neither.
        class_name: The class of a server, or the name of a coroutine function or task.
        status: See `ProcessInfo`.
        queue: Number of queued messages.
        handled: Number of messages handled since its start.
        recent: Number of messages handled since the last snapshot; ``None`` in the first one.
        callback: The running callback, if any.
        busy: Share of the time since the last snapshot in which a callback ran or waited, 0 to 1.
            It is measured while the table is sorted by it, and else ``None``, as in the first
            snapshot.
    """

    pid: Pid
    name: str
    class_name: str
    status: str
    queue: int
    handled: int
    recent: int | None
    callback: str | None
    busy: float | None


@dataclass(frozen=True, slots=True)
class ProcessPage:
    """The first rows of the table.

    Args:
        rows: The rows, sorted.
        total: Number of processes.
        matching: Number of processes that match the search.
        queued: Number of queued messages of all processes.
        seconds: Time since the last snapshot; ``None`` in the first one.
    """

    rows: list[ProcessRow]
    total: int
    matching: int
    queued: int
    seconds: float | None


class ProcessTable:
    """Reads pages; keeps what it needs to tell the messages and times since the last one.

    Args:
        query: The order, the search and the number of rows.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._before: dict[Pid, int] | None = None
        self._searched: dict[Any, bool] = {}
        self._read_at = 0.0
        self._busy = BusyTimes() if query.sort == "busy" else None

    async def read(self) -> ProcessPage:
        """Return the page now."""
        query, before = self._query, self._before
        now = time.monotonic()
        handled: dict[Pid, int] = {}
        busy = self._busy
        if busy is not None:
            busy.mark()
        best = _Best(query)
        matches = _Search(query.search, self._searched) if query.search else None
        key = _KEYS[query.sort]
        matching = queued = 0
        async for batch in sliced(list(running().processes)):
            for pid in batch:
                process = pid._process
                if process is None:
                    continue
                handled[pid] = count = process.handled
                length = process.queue_length()
                queued += length
                if matches is None or matches(process):
                    matching += 1
                    recent = count if before is None else count - before.get(pid, 0)
                    best.add(key(process, recent, length, busy), pid)
        self._before, seconds, self._read_at = handled, now - self._read_at, now
        if matches is not None:
            self._searched = matches.searched
        since = None if before is None else _Since(before, busy)
        rows = [row for pid in best.pids() if (row := _row(pid, handled, since)) is not None]
        return ProcessPage(rows, len(handled), matching, queued, None if since is None else seconds)

    def close(self) -> None:
        """Free what was kept."""
        self._before = None
        self._searched = {}
        if self._busy is not None:
            self._busy.close()


@dataclass(frozen=True, slots=True)
class _Since:
    """What was known at the last snapshot: the handled messages; and the busy times since."""

    handled: dict[Pid, int]
    busy: BusyTimes | None


_Key: TypeAlias = Callable[[Any, int, int, Any], Any]

_KEYS: dict[str, _Key] = {
    "recent": lambda process, recent, length, busy: recent,
    "busy": lambda process, recent, length, busy: busy.share(process),
    "handled": lambda process, recent, length, busy: process.handled,
    "queue": lambda process, recent, length, busy: length,
    "pid": lambda process, recent, length, busy: process.pid.serial,
    "class": lambda process, recent, length, busy: process.class_name(),
}
"""The value of each order, from the process, its recent messages, queued ones and busy times."""


class _Best:
    """The first processes in one order; of equal ones the oldest, which come first.

    Args:
        query: The order and the number of processes.
    """

    def __init__(self, query: Query) -> None:
        self._limit = query.limit
        self._descending = query.descending
        self._kept: list[tuple[Any, Pid]] = []
        self._floor: Any = None  # the last value that is kept, once there are enough

    def add(self, value: Any, pid: Pid) -> None:
        """Keep a process, unless enough others come before it."""
        floor = self._floor
        if floor is not None and (value <= floor if self._descending else value >= floor):
            return
        self._kept.append((value, pid))
        if len(self._kept) >= 2 * self._limit:
            self._cut()

    def _cut(self) -> None:
        self._kept.sort(key=_value, reverse=self._descending)  # stable: the oldest stay first
        del self._kept[self._limit :]
        if len(self._kept) == self._limit:
            self._floor = self._kept[-1][0]

    def pids(self) -> list[Pid]:
        """Return the processes in their order."""
        self._cut()
        return [pid for _, pid in self._kept]


def _value(ranked: tuple[Any, Pid]) -> Any:
    return ranked[0]


class _Search:
    """Returns whether a process contains a text in its pid, class, names or label.

    Args:
        wanted: In lower case.
        before: ``searched`` of the search before this one.

    Attributes:
        searched: Whether each key of a registry that is not a string contains the text: to write
            one as text takes most of the time.
    """

    def __init__(self, wanted: str, before: dict[Any, bool]) -> None:
        self._wanted = wanted
        self._before = before
        self.searched: dict[Any, bool] = {}
        self._can_be_pid = not set(wanted) - set("#pid<.>0123456789")
        self._classes: dict[str, bool] = {}

    def __call__(self, process: Any) -> bool:
        if self._in_class(process.class_name()):
            return True
        if self._can_be_pid and self._wanted in f"#pid<0.{process.pid.serial}.0>":
            return True
        if any(self._in_name(held, process) for held in one_or_many.items(process.held)):
            return True
        return process.label is not None and self._wanted in text(process.label).lower()

    def _in_name(self, held: HeldName, holder: Any) -> bool:
        name = held.shown(holder)
        if isinstance(name, str) or held.linked_to() is None:  # the latter can be unhashable
            return self._wanted in text(name).lower()
        found = self._before.get(name)
        if found is None:
            found = self._wanted in text(name).lower()
        self.searched[name] = found
        return found

    def _in_class(self, name: str) -> bool:
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = self._wanted in name.lower()
        return found


def _row(pid: Pid, handled: dict[Pid, int], since: _Since | None) -> ProcessRow | None:
    process = pid._process
    if process is None:  # it has exited since the walk
        return None
    return ProcessRow(
        pid,
        named(process),
        process.class_name(),
        process.status(),
        process.queue_length(),
        handled[pid],
        None if since is None else handled[pid] - since.handled.get(pid, 0),
        process.current_callback(),
        None if since is None or since.busy is None else since.busy.share(process),
    )


async def servers(wanted: Callable[[Any], bool]) -> list[Any]:
    """Return the live processes whose server satisfies ``wanted``, oldest first."""
    found: list[Any] = []
    async for batch in sliced(list(running().processes)):
        for pid in batch:
            server = getattr(pid._process, "server", None)
            if server is not None and wanted(server):
                found.append(pid._process)
    return [process for process in found if process.pid._process is process]
