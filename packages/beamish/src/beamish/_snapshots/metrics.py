"""Counts and durations of telemetry events, only while somebody looks at them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beamish import telemetry

MAX_SERIES = 500
"""Events by class that are counted; the rest is counted together."""

_OVERFLOW = "(further classes)"
_SPANS = (telemetry.CALL, telemetry.CALLBACK)
_TIMES = ("count", "duration_seconds", "system_time_seconds")


@dataclass(slots=True)
class Series:
    """One event of one class.

    Args:
        event: The name of the event, such as ``beamish.call.stop``.
        class_name: The class that it is about; empty if the event names none.
        count: How often it occurred.
        total_seconds: Sum of its durations, or ``None`` if it has none.
        max_seconds: The longest duration, or ``None``.
        last: The last value of each of its other numbers.
    """

    event: str
    class_name: str
    count: int = 0
    total_seconds: float | None = None
    max_seconds: float | None = None
    last: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The series since the page was opened, those that occurred most often first."""

    rows: list[Series]
    total: int


class MetricsReader:
    """Counts events from its creation to `close`.

    Args:
        events: Names of events to count, besides those of beamish.
        limit: Maximum number of rows.
    """

    def __init__(self, events: Iterable[telemetry.Event], limit: int) -> None:
        self._limit = limit
        self._series: dict[tuple[telemetry.Event, str], Series] = {}
        # The end of a call or callback says all that its start says.
        own = [
            event for event in telemetry.EVENTS if event[:2] not in _SPANS or event[2] != "start"
        ]
        telemetry.attach_many(self, (*own, *events), self._count)

    async def read(self) -> Metrics:
        """Return the series now."""
        rows = sorted(self._series.values(), key=lambda series: -series.count)
        return Metrics(rows[: self._limit], len(rows))

    def close(self) -> None:
        """Stop counting."""
        telemetry.detach(self)

    def _count(
        self, event: telemetry.Event, measurements: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        name = str(facts.get("class", ""))
        series = self._series.get((event, name))
        if series is None:
            if len(self._series) >= MAX_SERIES:
                name = _OVERFLOW
            series = self._series.setdefault((event, name), Series(".".join(event), name))
        series.count += 1
        duration = measurements.get("duration_seconds")
        if duration is not None:
            series.total_seconds = (series.total_seconds or 0.0) + duration
            series.max_seconds = max(series.max_seconds or 0.0, duration)
        series.last = {
            key: value
            for key, value in measurements.items()
            if key not in _TIMES and isinstance(value, int | float)
        }
