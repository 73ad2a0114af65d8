"""Prometheus metrics of a router."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from beamish import telemetry
from transaction_tracker.api.guard import REQUEST
from transaction_tracker.metrics.gauges import PREFIX
from transaction_tracker.metrics.metrics import FAST
from transaction_tracker.router.shards import Shards

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_NAME = f"{PREFIX}_router"


class RouterMetrics(Collector):
    """The metrics of one router; labels are routes and numbers of shards, never ids or URLs.

    Args:
        shards: The shards.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._registry = CollectorRegistry(auto_describe=True)
        self._seconds = Histogram(
            f"{_NAME}_request_seconds",
            "Duration of requests to the router.",
            ("method", "route", "status"),
            buckets=FAST,
            registry=self._registry,
        )
        self._registry.register(self)

    def attach(self) -> None:
        """Start counting."""
        telemetry.attach(self, REQUEST, self._answered)

    def detach(self) -> None:
        """Stop counting."""
        telemetry.detach(self)

    def render(self) -> bytes:
        """Return the page.

        Source:
            Prometheus text format 0.0.4.
        """
        return generate_latest(self._registry)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield the metric families of the shards."""
        up = GaugeMetricFamily(
            f"{_NAME}_shard_available",
            "1 while the shard has an owner that responds.",
            labels=["shard"],
        )
        ready = GaugeMetricFamily(
            f"{_NAME}_shard_ready", "1 while the shard is ready.", labels=["shard"]
        )
        failures = CounterMetricFamily(
            f"{_NAME}_shard_failures", "Requests that no owner has answered.", labels=["shard"]
        )
        moves = CounterMetricFamily(
            f"{_NAME}_shard_moves", "Changes of the owner of the shard.", labels=["shard"]
        )
        for client in self._shards.clients:
            label = [str(client.number)]
            up.add_metric(label, int(client.is_up is True))
            ready.add_metric(label, int(client.is_ready))
            failures.add_metric(label, client.failures)
            moves.add_metric(label, client.moves)
        yield from (up, ready, failures, moves)

    def _answered(
        self, _event: telemetry.Event, numbers: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        # A client can send any method.
        method = facts["method"] if facts["method"] in _METHODS else "other"
        self._seconds.labels(method, facts["route"], str(facts["status"])).observe(
            numbers["seconds"]
        )
