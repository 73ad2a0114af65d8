"""The table of processes: the first rows in some order, of any number of processes."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from beamish._runtime import one_or_many
from beamish._runtime.runtime import running
from beamish._snapshots.encode import named, text
from beamish._snapshots.query import Query
from beamish._snapshots.slices import sliced
from beamish.pid import Pid

_Ranked: TypeAlias = tuple[Any, int, Pid]


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
    """

    pid: Pid
    name: str
    class_name: str
    status: str
    queue: int
    handled: int
    recent: int | None
    callback: str | None


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
    """Reads pages; keeps what it needs to tell the messages since the last one.

    Args:
        query: The order, the search and the number of rows.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._before: dict[Pid, int] | None = None
        self._read_at = 0.0

    async def read(self) -> ProcessPage:
        """Return the page now."""
        query, before = self._query, self._before
        now = time.monotonic()
        pids = list(running().processes)
        handled: dict[Pid, int] = {}
        best: list[_Ranked] = []
        total = matching = queued = 0
        pick = heapq.nlargest if query.descending else heapq.nsmallest
        async for batch in sliced(pids):
            ranked: list[_Ranked] = []
            for pid in batch:
                process = pid._process
                if process is None:
                    continue
                total += 1
                handled[pid] = count = process.handled
                length = process.queue_length()
                queued += length
                if query.search and not _matches(process, query.search):
                    continue
                matching += 1
                ranked.append((_key(query, process, before, count, length), pid.serial, pid))
            best = pick(query.limit, [*best, *ranked])
        self._before, seconds, self._read_at = handled, now - self._read_at, now
        rows = [row for _, _, pid in best if (row := _row(pid, handled, before)) is not None]
        return ProcessPage(rows, total, matching, queued, None if before is None else seconds)

    def close(self) -> None:
        """Free what was kept."""
        self._before = None


def _key(query: Query, process: Any, before: dict[Pid, int] | None, count: int, length: int) -> Any:
    match query.sort:
        case "recent":
            return count if before is None else count - before.get(process.pid, 0)
        case "handled":
            return count
        case "queue":
            return length
        case "class":
            return process.class_name()
        case _:
            return process.pid.serial


def _row(pid: Pid, handled: dict[Pid, int], before: dict[Pid, int] | None) -> ProcessRow | None:
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
        None if before is None else handled[pid] - before.get(pid, 0),
        process.current_callback(),
    )


def _matches(process: Any, search: str) -> bool:
    if search in process.class_name().lower() or search in repr(process.pid).lower():
        return True
    names = (held.shown() for held in one_or_many.items(process.held))
    return any(search in text(name).lower() for name in (*names, process.label or ""))


async def servers(wanted: Callable[[Any], bool]) -> list[Any]:
    """Return the live processes whose server satisfies ``wanted``, oldest first."""
    found: list[Any] = []
    async for batch in sliced(list(running().processes)):
        for pid in batch:
            server = getattr(pid._process, "server", None)
            if server is not None and wanted(server):
                found.append(pid._process)
    return [process for process in found if process.pid._process is process]
