"""The views by name: what the HTTP API, the event streams and the terminal read."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from beamish import telemetry
from beamish._snapshots.details import detail, state
from beamish._snapshots.matches import TreeSearch
from beamish._snapshots.metrics import MetricsReader
from beamish._snapshots.overview import OverviewReader
from beamish._snapshots.pages import Page, read_page
from beamish._snapshots.processes import ProcessTable
from beamish._snapshots.query import Query, UnknownError
from beamish._snapshots.recorder import Crash, Recorder, Sample
from beamish._snapshots.registries import registries
from beamish._snapshots.supervisors import forest, supervisors


class Reader(Protocol):
    """Reads one view again and again, until it is closed."""

    async def read(self) -> Any:
        """Return a snapshot, a dataclass."""

    def close(self) -> None:
        """Free what it has attached or kept."""


@dataclass(frozen=True, slots=True)
class Crashes:
    """The kept crashes, newest first; ``total`` is how many there were."""

    rows: list[Crash]
    total: int


@dataclass(frozen=True, slots=True)
class History:
    """The kept samples, oldest first, and the time between two of them in seconds."""

    samples: list[Sample]


class Views:
    """The readers of one program.

    Args:
        recorder: Records crashes and samples; begins with the first view at the latest.
        events: Names of telemetry events to count, besides those of beamish.
        pages: The pages of the application by name.
    """

    def __init__(
        self,
        recorder: Recorder,
        events: tuple[telemetry.Event, ...] = (),
        pages: Mapping[str, Page] = MappingProxyType({}),
    ) -> None:
        self.recorder = recorder
        self.pages = pages
        self._events = events

    def reader(self, view: str, query: Query) -> Reader:
        """Return a reader of the view.

        Raises:
            UnknownError: There is no such view.
        """
        make = _VIEWS.get(view)
        if make is None:
            raise UnknownError(f"unknown view {view[:50]!r}; use {', '.join(_VIEWS)}")
        self.recorder.begin()
        return make(self, query)

    async def read(self, view: str, query: Query) -> Any:
        """Return one snapshot of the view.

        Raises:
            UnknownError: There is no such view.
            BeamishError: The process that the query names is dead, or shows no state.
        """
        reader = self.reader(view, query)
        try:
            return await reader.read()
        finally:
            reader.close()

    def crashes(self, query: Query) -> Crashes:
        """Return the kept crashes that match the search."""
        kept = reversed(self.recorder.crashes)
        rows = [crash for crash in kept if query.search in _searched(crash)]
        return Crashes(rows[: query.limit], self.recorder.crash_count)

    def metrics(self, query: Query) -> MetricsReader:
        """Return a reader of the metrics."""
        return MetricsReader(self._events, query.limit)


def _searched(crash: Crash) -> str:
    return f"{crash.pid} {crash.class_name} {crash.name} {crash.message}".lower()


class _Function:
    """Reads a view that keeps nothing between two snapshots."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    async def read(self) -> Any:
        found = self._function()
        return await found if inspect.isawaitable(found) else found

    def close(self) -> None:
        """Do nothing."""


_Make: TypeAlias = Callable[[Views, Query], Reader]
_Read: TypeAlias = Callable[[Views, Query], Awaitable[Any] | Any]


def _each_time(read: _Read) -> _Make:
    return lambda views, query: _Function(lambda: read(views, query))


def _tree(_: Views, query: Query) -> Reader:
    return TreeSearch(query) if query.search else _Function(lambda: forest(query))


_VIEWS: dict[str, _Make] = {
    "overview": lambda views, query: OverviewReader(views.recorder),
    "history": _each_time(lambda views, _: History(list(views.recorder.samples))),
    "processes": lambda views, query: ProcessTable(query),
    "process": _each_time(lambda views, query: detail(query, views.recorder)),
    "state": _each_time(lambda views, query: state(query)),
    "tree": _tree,
    "supervisors": _each_time(lambda views, query: supervisors(query)),
    "registries": _each_time(lambda views, query: registries(query)),
    "crashes": _each_time(lambda views, query: views.crashes(query)),
    "metrics": lambda views, query: views.metrics(query),
    "page": _each_time(lambda views, query: read_page(views.pages, query)),
}
VIEWS = tuple(_VIEWS)
"""The names of the views."""
