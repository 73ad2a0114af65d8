"""Metrics for Prometheus; install ``beamish[prometheus]``.

>>> from prometheus_client import CollectorRegistry
>>> exporter = attach(CollectorRegistry())  # or attach(): the default registry
>>> exporter.detach()

Metrics are labelled by server class, never by pid, so their number is bounded by the code. Each
scrape counts all processes and mailboxes, in the thread of the scrape.

When not to use it: to watch one process; use `debug`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from beamish import _checks, telemetry
from beamish._diagnostics import census
from beamish.results import is_clean

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as _error:
    raise ImportError(
        "beamish.exporters.prometheus needs prometheus_client; install beamish[prometheus]"
    ) from _error

__all__ = ["BUCKETS_SECONDS", "Exporter", "attach"]

_Method: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], None]

BUCKETS_SECONDS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Upper bounds of the histograms' buckets, from a call on the stack to one that times out."""


def attach(
    registry: CollectorRegistry = REGISTRY, *, buckets: Sequence[float] = BUCKETS_SECONDS
) -> "Exporter":
    """Count and time events from now on, as metrics in ``registry``.

    Args:
        registry: The registry of the metrics.
        buckets: Upper bounds of the histograms' buckets, in seconds, in ascending order.

    Returns:
        The exporter; its `Exporter.detach` ends counting.

    Raises:
        ValueError: The metrics are already in this registry, or a bucket is not a positive number
            of seconds.
        TypeError: ``registry`` is not a ``CollectorRegistry``.
    """
    if not isinstance(registry, CollectorRegistry):
        raise TypeError(f"registry must be a prometheus_client.CollectorRegistry; got {registry!r}")
    for bound in buckets:
        _checks.seconds("buckets", bound, positive=True)
    return Exporter(registry, buckets)


class Exporter:
    """The metrics of beamish in one registry, until `detach`; create it with `attach`.

    Args:
        registry: The registry of the metrics.
        buckets: Upper bounds of the histograms' buckets, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, buckets: Sequence[float]) -> None:
        self._registry = registry
        self._metrics: list[Collector] = []
        try:
            self._register(buckets)
        except ValueError as error:
            self._unregister()
            raise ValueError(
                "this registry holds the metrics of beamish already; detach that exporter first"
            ) from error
        self._handlers: dict[telemetry.Event, _Method] = {
            ("beamish", "process", "start"): self._started,
            ("beamish", "process", "exit"): self._exited,
            ("beamish", "process", "long_schedule"): self._long_schedule,
            ("beamish", "process", "long_message_queue"): self._long_message_queue,
            ("beamish", "call", "stop"): self._call_ended,
            ("beamish", "call", "exception"): self._call_failed,
            ("beamish", "callback", "stop"): self._callback_ended,
            ("beamish", "callback", "exception"): self._callback_ended,
            ("beamish", "supervisor", "restart"): self._restarted,
            ("beamish", "supervisor", "give_up"): self._gave_up,
        }
        telemetry.attach_many(self, self._handlers, self._handle)

    def detach(self) -> None:
        """Stop counting and unregister the metrics; a second call does nothing."""
        telemetry.detach(self)
        self._unregister()

    def _register(self, buckets: Sequence[float]) -> None:
        self._starts = self._counter("process_starts", "Processes started.")
        self._exits = self._counter("process_exits", "Processes that ended.", "reason")
        self._restarts = self._counter("restarts", "Children that supervisors restarted.")
        self._give_ups = self._counter("give_ups", "Children that exceeded their restart limit.")
        self._long_schedules = self._counter(
            "long_schedules", "Callbacks that blocked the event loop for too long."
        )
        self._long_queues = self._counter(
            "long_message_queues", "Mailboxes that exceeded the limit."
        )
        self._failures = self._counter("call_failures", "Calls that raised.", "request", "error")
        self._calls = self._histogram(
            "call_duration_seconds", "From a call to its reply or failure.", "request", buckets
        )
        self._callbacks = self._histogram(
            "callback_duration_seconds",
            "From the start of a callback to its end.",
            "callback",
            buckets,
        )
        self._add(_Census())

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"beamish_{name}", text, ("server_class", *labels), registry=None)
        self._add(counter)
        return counter

    def _histogram(self, name: str, text: str, label: str, buckets: Sequence[float]) -> Histogram:
        labels = ("server_class", label)
        histogram = Histogram(f"beamish_{name}", text, labels, registry=None, buckets=buckets)
        self._add(histogram)
        return histogram

    def _add(self, metric: Collector) -> None:
        self._registry.register(metric)
        self._metrics.append(metric)

    def _unregister(self) -> None:
        while self._metrics:
            self._registry.unregister(self._metrics.pop())

    # -- Events

    def _handle(
        self, event: telemetry.Event, numbers: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        self._handlers[event](numbers, facts)

    def _started(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._starts.labels(_class(facts)).inc()

    def _exited(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._exits.labels(_class(facts), _reason(facts["reason"])).inc()

    def _restarted(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._restarts.labels(_class(facts)).inc()

    def _gave_up(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._give_ups.labels(_class(facts)).inc()

    def _long_schedule(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._long_schedules.labels(_class(facts)).inc()

    def _long_message_queue(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._long_queues.labels(_class(facts)).inc()

    def _call_ended(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        labelled = self._calls.labels(_class(facts), facts["request"])
        labelled.observe(numbers["duration_seconds"])

    def _call_failed(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._call_ended(numbers, facts)
        error = type(facts["error"]).__name__
        self._failures.labels(_class(facts), facts["request"], error).inc()

    def _callback_ended(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        labelled = self._callbacks.labels(_class(facts), facts["callback"])
        labelled.observe(numbers["duration_seconds"])


class _Census(Collector):
    """The gauges, which are counted at each scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        counts = census.take()
        yield _gauge(
            "processes", "Live processes.", ((name, count.processes) for name, count in _by(counts))
        )
        yield _gauge(
            "mailbox_length",
            "Queued messages in all mailboxes.",
            ((name, count.messages) for name, count in _by(counts)),
        )
        yield _gauge(
            "mailbox_length_max",
            "Queued messages in the longest mailbox.",
            ((name, count.longest) for name, count in _by(counts)),
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics' names without counting, for the registry."""
        for name in ("processes", "mailbox_length", "mailbox_length_max"):
            yield _gauge(name, "", ())


def _by(counts: dict[str, census.Count]) -> list[tuple[str, census.Count]]:
    return sorted(counts.items())


def _gauge(name: str, text: str, values: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"beamish_{name}", text, labels=["server_class"])
    for class_name, value in values:
        family.add_metric([class_name], value)
    return family


def _class(facts: Mapping[str, Any]) -> str:
    return facts["class"] or "unknown"  # a call to a process that does not exist


def _reason(reason: Any) -> str:
    """Return the kind of an exit reason, one of five."""
    if isinstance(reason, BaseException):
        return "exception"
    if isinstance(reason, str) and reason in ("normal", "killed"):
        return reason
    return "shutdown" if is_clean(reason) else "other"
