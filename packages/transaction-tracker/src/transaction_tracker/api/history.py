"""Figures of the last ten minutes and of the last day, kept in memory for the dashboard's charts.

Each window counts telemetry events, and becomes one sample at the end of its interval. A sample
costs a reading of the gauges; an event costs an addition for each of the two windows.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from beamish import telemetry
from transaction_tracker.domain import TERMINAL
from transaction_tracker.metrics import Gauges, SourceGauges
from transaction_tracker.metrics.metrics import MAX_LABEL_VALUES, OTHER

SAMPLE_SECONDS = 5.0
MINUTE_SECONDS = 60.0

Span: TypeAlias = Literal["10m", "1d"]

_Number = TypeVar("_Number", int, float)

_OURS = "transaction_tracker"
_ENDED = TERMINAL | {"dropped"}


@dataclass(slots=True)
class Mean:
    """A sum and the number of its parts."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Add a value."""
        self.total += value
        self.count += 1

    @property
    def value(self) -> float | None:
        """The mean; ``None`` without values."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class ProviderCounts:
    """Requests to one provider within a window."""

    seconds: Mean = field(default_factory=Mean)
    errors: int = 0


@dataclass(slots=True)
class Counts:
    """Events within a window."""

    transitions: int = 0
    detections: Mean = field(default_factory=Mean)
    requests: Mean = field(default_factory=Mean)
    delivered: int = 0
    failed: int = 0
    attempts: Mean = field(default_factory=Mean)
    providers: dict[str, ProviderCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderSample:
    """One provider at one time.

    Attributes:
        latency_seconds: Mean duration of its requests.
        requests_per_minute: Requests sent to it.
        errors_per_minute: Requests that failed.
    """

    latency_seconds: float | None
    requests_per_minute: float
    errors_per_minute: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures at one time; a figure that is ``None`` is unknown.

    Attributes:
        at: Unix seconds.
        open: Transactions that have not ended.
        registrations_per_minute: Growth of the number of transactions.
        transitions_per_minute: Changes of a state.
        detection_seconds: Mean time from a new head to the commit of a transaction's state.
        head_age_seconds: Seconds since the last answer about the head; of several sources, that of
            the oldest answer.
        head_lag_blocks: Blocks from the last applied block to the head; of several sources, the
            most.
        requests_per_block: Mean number of requests to the source for each block.
        delivered_per_minute: Successful attempts to deliver.
        failed_per_minute: Failed attempts to deliver.
        delivery_seconds: Mean duration of attempts.
        pending: Pending deliveries.
        oldest_pending_seconds: Age of the oldest pending delivery.
        providers: Each provider by name.
    """

    at: float
    open: int
    registrations_per_minute: float | None
    transitions_per_minute: float
    detection_seconds: float | None
    head_age_seconds: float | None
    head_lag_blocks: int | None
    requests_per_block: float | None
    delivered_per_minute: float
    failed_per_minute: float
    delivery_seconds: float | None
    pending: int | None
    oldest_pending_seconds: float | None
    providers: Mapping[str, ProviderSample]


class _Window:
    """Counts events, and keeps one sample for each interval."""

    def __init__(self, seconds: float, samples: int) -> None:
        self.seconds = seconds
        self.samples: deque[Sample] = deque(maxlen=samples)
        self.counts = Counts()
        self._began: float | None = None
        self._total: int | None = None

    def tick(self, now: float, clock: float, gauges: Gauges) -> None:
        """Add a sample if the interval is over."""
        if self._began is None:
            self._began, self._total, self.counts = clock, _total(gauges), Counts()
        elapsed = clock - self._began
        # Half a tick early: ticks are never exact, and a sample must not wait for one more.
        if elapsed < self.seconds - SAMPLE_SECONDS / 2:
            return
        self.samples.append(self._sample(now, elapsed / MINUTE_SECONDS, gauges))
        self._began, self._total, self.counts = clock, _total(gauges), Counts()

    def _sample(self, now: float, minutes: float, gauges: Gauges) -> Sample:
        counts = self.counts
        return Sample(
            now,
            _open(gauges),
            _growth(self._total, _total(gauges), minutes),
            counts.transitions / minutes,
            counts.detections.value,
            _largest(part.head_lag_seconds for part in _parts(gauges)),
            _largest(part.head_lag_blocks for part in _parts(gauges)),
            counts.requests.value,
            counts.delivered / minutes,
            counts.failed / minutes,
            counts.attempts.value,
            gauges.outbox_pending,
            gauges.outbox_oldest_seconds,
            {name: _provider(one, minutes) for name, one in counts.providers.items()},
        )


def _provider(counts: ProviderCounts, minutes: float) -> ProviderSample:
    seconds = counts.seconds
    return ProviderSample(seconds.value, seconds.count / minutes, counts.errors / minutes)


def _parts(gauges: Gauges) -> Sequence[Gauges | SourceGauges]:
    """Return the gauges of each source."""
    return tuple(gauges.sources.values()) or (gauges,)


def _largest(values: Iterable[_Number | None]) -> _Number | None:
    return max((value for value in values if value is not None), default=None)


def _total(gauges: Gauges) -> int:
    return sum(sum(part.tracked.values()) for part in _parts(gauges))


def _open(gauges: Gauges) -> int:
    counts = (item for part in _parts(gauges) for item in part.tracked.items())
    return sum(count for state, count in counts if state not in _ENDED)


def _growth(before: int | None, after: int, minutes: float) -> float | None:
    # Pruning removes transactions: then the growth is too small, and never below 0.
    return None if before is None else max(0, after - before) / minutes


class History:
    """The samples of one application; they outlive a restart of the API.

    Args:
        clock: Monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[Span, _Window] = {
            "10m": _Window(SAMPLE_SECONDS, 120),
            "1d": _Window(MINUTE_SECONDS, 1_440),
        }
        self._counting: object = None
        self._handlers: dict[telemetry.Event, Callable[..., None]] = {
            (_OURS, "transition"): self._transition,
            (_OURS, "transaction", "detected"): self._detected,
            (_OURS, "block", "applied"): self._applied,
            (_OURS, "webhook", "attempt"): self._attempted,
            (_OURS, "provider", "request"): self._requested,
        }

    def begin(self) -> object:
        """Start to count events, and return what `end` needs."""
        self.end(self._counting)
        self._counting = object()
        telemetry.attach_many(self._counting, self._handlers, self._handle)
        return self._counting

    def end(self, counting: object) -> None:
        """Stop counting, unless another caller has started since; the samples stay.

        Args:
            counting: Result of `begin`. A process that is killed can end after its successor has
                started.
        """
        if counting is not None and counting is self._counting:
            telemetry.detach(counting)
            self._counting = None

    def tick(self, gauges: Gauges) -> None:
        """Add the samples that are due; call it every ``SAMPLE_SECONDS``."""
        now, clock = time.time(), self._clock()
        for window in self._windows.values():
            window.tick(now, clock, gauges)

    def interval(self, span: Span) -> float:
        """Return the seconds between two samples of a span."""
        return self._windows[span].seconds

    def samples(self, span: Span) -> list[Sample]:
        """Return the samples of a span, the oldest first."""
        return list(self._windows[span].samples)

    # -- Events

    def _handle(
        self, event: telemetry.Event, numbers: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        for window in self._windows.values():
            self._handlers[event](window.counts, numbers, facts)

    @staticmethod
    def _transition(counts: Counts, _: Mapping[str, Any], __: Mapping[str, Any]) -> None:
        counts.transitions += 1

    @staticmethod
    def _detected(counts: Counts, numbers: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        counts.detections.add(numbers["seconds"])

    @staticmethod
    def _applied(counts: Counts, numbers: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        counts.requests.add(numbers["requests"])

    @staticmethod
    def _attempted(counts: Counts, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        delivered = facts["outcome"] == "delivered"
        counts.delivered += delivered
        counts.failed += not delivered
        counts.attempts.add(numbers["seconds"])

    @staticmethod
    def _requested(counts: Counts, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        name = str(facts["provider"])
        if name not in counts.providers and len(counts.providers) >= MAX_LABEL_VALUES:
            name = OTHER
        provider = counts.providers.setdefault(name, ProviderCounts())
        provider.seconds.add(numbers["duration_seconds"])
        provider.errors += facts["outcome"] != "ok"
