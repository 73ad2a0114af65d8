"""The tracker's metrics: counted from telemetry events, in a separate registry."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from beamish import telemetry
from beamish.exporters import prometheus as beamish_metrics
from transaction_tracker.metrics.gauges import PREFIX, Gauges, Snapshot

__all__ = ["CONTENT_TYPE", "Metrics"]

_Metric = TypeVar("_Metric", Counter, Histogram)
_Method = Callable[[Mapping[str, Any], Mapping[str, Any]], None]

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BLOCKS = (1, 2, 3, 6, 12, 24, 48, 96, 192)
REQUESTS = (1, 2, 3, 4, 5, 6, 8, 12, 20, 50, 100)
AGES = (1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400)

# Labels come from the program's code and configuration. This bounds the number of time series if
# a label has unexpectedly many values.
MAX_LABEL_VALUES = 64
OTHER = "other"

_TRACKER = "TransactionTracker"


class Metrics:
    """All metrics of one application.

    Labels are states, outcomes, routes and provider names, never ids, addresses or URLs.

    Args:
        runtime: Whether the page includes beamish's metrics, which cost some microseconds per
            call and callback.
        sources: Names of several sources, by their names in the database: metrics about a source
            have the label ``source`` then.
    """

    def __init__(self, *, runtime: bool = True, sources: Mapping[str, str] | None = None) -> None:
        self._sources = dict(sources or {})
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=True)
        self._runtime = runtime
        self._runtime_exporter: beamish_metrics.Exporter | None = None
        self._snapshot = Snapshot()
        self.registry.register(self._snapshot)
        self._values: dict[str, set[str]] = {}
        self._attached = False
        self._create_source_metrics()
        self._create_service_metrics()
        self._handlers = self._by_event()

    def attach(self) -> None:
        """Start counting; no effect if already attached."""
        if self._attached:
            return
        telemetry.attach_many(self, self._handlers, self._handle)
        if self._runtime:
            self._runtime_exporter = beamish_metrics.attach(self.registry)
        self._attached = True

    def detach(self) -> None:
        """Stop counting; the counts stay."""
        telemetry.detach(self)
        if self._runtime_exporter is not None:
            self._runtime_exporter.detach()
            self._runtime_exporter = None
        self._attached = False

    def render(self, gauges: Gauges) -> bytes:
        """Return the metrics page; safe to call in any thread.

        beamish's metrics count all its processes, which is slow for a million of them.

        Source:
            Prometheus text format 0.0.4.
        """
        self._snapshot.gauges = gauges
        return generate_latest(self.registry)

    def _create_source_metrics(self) -> None:
        own = ("source",) if self._sources else ()
        self._transitions = self._counter("transitions", "Transitions stored.", *own, "from", "to")
        self._blocks = self._histogram(
            "block_apply_seconds", "Time from the fetch of a block to its commit.", FAST, *own
        )
        self._hits = self._counter("block_hits", "Tracked transactions found in blocks.", *own)
        self._per_block = self._histogram(
            "rpc_requests_per_block",
            "Requests to the source since the previous block.",
            REQUESTS,
            *own,
        )
        self._detections = self._histogram(
            "detection_seconds",
            "Time from a new head to the commit of a transaction's state.",
            FAST,
            *own,
        )
        self._reorgs = self._counter("reorgs", "Reorganisations.", *own)
        self._depths = self._histogram(
            "reorg_depth_blocks", "Blocks removed by a reorganisation.", BLOCKS, *own
        )
        self._deposits = self._counter(
            "deposits", "Payments to watched addresses, by what became of them.", *own, "result"
        )
        self._swept = self._counter("swept", "Transactions looked up individually.", *own)
        self._sweep_ages = self._histogram(
            "sweep_age_seconds", "How long the oldest due transaction had been due.", AGES, *own
        )

    def _create_service_metrics(self) -> None:
        self._requests = self._counter(
            "rpc_requests", "Requests to providers.", "provider", "outcome"
        )
        self._request_seconds = self._histogram(
            "rpc_request_seconds", "Duration of requests to providers.", FAST, "provider"
        )
        self._unreadable = self._counter(
            "unreadable", "Responses and parts of responses skipped as unreadable.", "kind"
        )
        self._restarts = self._counter("tracker_restarts", "Restarts of trackers.")
        self._parks = self._counter("tracker_parks", "Trackers parked.")
        self._alert_changes = self._counter(
            "alert_changes", "Alerts raised, changed and cleared.", "kind", "change"
        )
        self._attempts = self._counter("webhook_attempts", "Webhook attempts.", "outcome")
        self._database = self._histogram(
            "database_seconds", "Duration of database transactions.", FAST
        )
        self._http = self._histogram(
            "http_request_seconds",
            "Duration of requests to the API.",
            FAST,
            *("method", "route", "status"),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        name = f"{PREFIX}_{name}"
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    # -- Events

    def _by_event(self) -> dict[telemetry.Event, _Method]:
        ours = "transaction_tracker"
        return {
            (ours, "block", "applied"): self._block_applied,
            (ours, "transition"): self._transition,
            (ours, "transaction", "detected"): self._detected,
            (ours, "reorg"): self._reorg,
            (ours, "unreadable"): self._passed_over,
            (ours, "deposits"): self._found,
            (ours, "sweep"): self._sweep,
            (ours, "store", "commit"): self._committed,
            (ours, "provider", "request"): self._requested,
            (ours, "webhook", "attempt"): self._attempted,
            (ours, "http", "request"): self._answered,
            (ours, "alert", "raised"): partial(self._alert, "raised"),
            (ours, "alert", "changed"): partial(self._alert, "changed"),
            (ours, "alert", "cleared"): partial(self._alert, "cleared"),
            ("beamish", "supervisor", "restart"): self._restarted,
            ("beamish", "supervisor", "give_up"): self._gave_up,
        }

    def _handle(
        self, event: telemetry.Event, numbers: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        self._handlers[event](numbers, facts)

    def _of(self, metric: _Metric, facts: Mapping[str, Any], *values: str) -> _Metric:
        """Return the part of a metric for the source of an event, and for other labels."""
        if self._sources:
            values = (self._sources.get(facts["source"], OTHER), *values)
        return metric.labels(*values) if values else metric

    def _block_applied(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._of(self._blocks, facts).observe(numbers["seconds"])
        self._of(self._hits, facts).inc(numbers["hits"])
        self._of(self._per_block, facts).observe(numbers["requests"])

    def _transition(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._of(self._transitions, facts, facts["previous"], facts["state"]).inc()

    def _detected(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._of(self._detections, facts).observe(numbers["seconds"])

    def _reorg(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._of(self._reorgs, facts).inc()
        self._of(self._depths, facts).observe(numbers["depth"])

    def _passed_over(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._unreadable.labels(self._bounded("unreadable", facts["kind"])).inc(numbers["count"])

    def _found(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        for result, count in numbers.items():
            self._of(self._deposits, facts, result).inc(count)

    def _sweep(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._of(self._swept, facts).inc(numbers["asked"])
        self._of(self._sweep_ages, facts).observe(numbers["age_seconds"])

    def _committed(self, numbers: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        self._database.observe(numbers["seconds"])

    def _requested(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        provider = self._bounded("provider", facts["provider"])
        self._requests.labels(provider, self._bounded("rpc outcome", facts["outcome"])).inc()
        self._request_seconds.labels(provider).observe(numbers["duration_seconds"])

    def _attempted(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._attempts.labels(self._bounded("webhook outcome", facts["outcome"])).inc()

    def _answered(self, numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        labels = [self._bounded(name, facts[name]) for name in ("method", "route", "status")]
        self._http.labels(*labels).observe(numbers["seconds"])

    def _alert(self, change: str, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._alert_changes.labels(facts["kind"], change).inc()

    def _restarted(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        if facts["class"] == _TRACKER:
            self._restarts.inc()

    def _gave_up(self, _: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        if facts["class"] == _TRACKER:
            self._parks.inc()

    def _bounded(self, label: str, value: Any) -> str:
        """Return the value, or ``other`` once the label has ``MAX_LABEL_VALUES`` values."""
        text = str(value)
        values = self._values.setdefault(label, set())
        if text not in values:
            if len(values) >= MAX_LABEL_VALUES:
                return OTHER
            values.add(text)
        return text
