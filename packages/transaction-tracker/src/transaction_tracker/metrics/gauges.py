"""Gauges: values that are read when Prometheus scrapes, not counted from events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from transaction_tracker.domain import State
from transaction_tracker.domain.alert import ALERT_KINDS, SEVERITIES, AlertKind, AlertSeverity

PREFIX = "transaction_tracker"


@dataclass(frozen=True, slots=True)
class SourceGauges:
    """Values of the gauges of one source of several; they have the label ``source``.

    Attributes:
        tracked: Transactions by state.
        parked: As in `Gauges`, and so on.
    """

    tracked: Mapping[State, int] = field(default_factory=dict)
    parked: int | None = None
    head_lag_seconds: float | None = None
    head_lag_blocks: int | None = None
    source_halted: int | None = None
    source_lagging: int | None = None
    source_paused: int | None = None
    last_block_applied_seconds: float | None = None
    ends_held: int | None = None


@dataclass(frozen=True, slots=True)
class LeaseGauges:
    """Values about the lease with which the program owns its database.

    Attributes:
        owner: 1 while the lease is certain, otherwise 0.
        epoch: Number of the claim among those of all programs.
        seconds: Seconds for which the lease is certain.
        renewals: Renewals since the program started.
        failed_renewals: Renewals that the server did not confirm.
        takeovers: Claims of this program since it started.
    """

    owner: int
    epoch: int
    seconds: float
    renewals: int
    failed_renewals: int
    takeovers: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """Values of the gauges; a gauge that is ``None`` is unknown and omitted.

    Attributes:
        tracked: Transactions by state.
        alerts: Active alerts by kind and severity.
        alerts_evaluated_seconds: Seconds since the alerts were last evaluated.
        alert_notices_pending: Undelivered notices of alerts.
        parked: Parked transactions.
        head_lag_seconds: Seconds since the last answer about the source's head.
        head_lag_blocks: Blocks from the last applied block to that head.
        source_halted: 1 while the source is halted, otherwise 0.
        source_lagging: 1 while no provider's head advances, otherwise 0.
        last_block_applied_seconds: Seconds since a block was applied.
        ends_held: 1 while healthy providers disagree or do not answer about ends, otherwise 0.
        outbox_pending: Pending deliveries.
        outbox_oldest_seconds: Age of the oldest pending delivery.
        endpoints_failing: Enabled endpoints that are failing.
        deliveries_frozen: 1 while a finality violation has frozen all deliveries, otherwise 0.
        registering: Transactions being registered.
        waiters: Long polls in progress.
        streams: Open event streams.
        sources: The gauges of each source of several, by its name; they replace those here.
        lease: The lease; ``None`` without one.
    """

    tracked: Mapping[State, int] = field(default_factory=dict)
    alerts: Mapping[tuple[AlertKind, AlertSeverity], int] | None = None
    alerts_evaluated_seconds: float | None = None
    alert_notices_pending: int | None = None
    parked: int | None = None
    head_lag_seconds: float | None = None
    head_lag_blocks: int | None = None
    source_halted: int | None = None
    source_lagging: int | None = None
    last_block_applied_seconds: float | None = None
    ends_held: int | None = None
    outbox_pending: int | None = None
    outbox_oldest_seconds: float | None = None
    endpoints_failing: int | None = None
    deliveries_frozen: int | None = None
    registering: int | None = None
    waiters: int | None = None
    streams: int | None = None
    sources: Mapping[str, SourceGauges] = field(default_factory=dict)
    lease: LeaseGauges | None = None


_TEXTS = {
    "alerts_evaluated_seconds": "Time since the alerts were last evaluated.",
    "alert_notices_pending": "Undelivered notices of alerts to endpoints.",
    "parked": "Parked transactions.",
    "head_lag_seconds": "Time since the last answer about the source's head.",
    "head_lag_blocks": "Blocks from the last applied block to the source's head.",
    "source_halted": "1 while the source is halted, otherwise 0.",
    "source_paused": "1 while an operator has paused the source, otherwise 0.",
    "source_lagging": "1 while no provider's head advances, otherwise 0.",
    "last_block_applied_seconds": "Time since a block was applied.",
    "ends_held": "1 while healthy providers disagree or do not answer about ends, otherwise 0.",
    "outbox_pending": "Pending deliveries of events to endpoints.",
    "outbox_oldest_seconds": "Age of the oldest pending delivery.",
    "endpoints_failing": "Enabled endpoints that are failing.",
    "deliveries_frozen": "1 while a finality violation has frozen all deliveries, otherwise 0.",
    "registering": "Transactions being registered.",
    "waiters": "Long polls in progress.",
    "streams": "Open event streams.",
}


class Snapshot(Collector):
    """Collector of the gauges that were set last."""

    def __init__(self) -> None:
        self.gauges: Gauges = Gauges()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield the metric families of the gauges."""
        yield _tracked(self.gauges)
        if self.gauges.lease is not None:
            yield from _lease(self.gauges.lease)
        if self.gauges.alerts is not None:
            yield _alerts(self.gauges.alerts)
        for name, text in _TEXTS.items():
            value = getattr(self.gauges, name, None)
            if value is not None:
                yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
            elif self.gauges.sources and name in SourceGauges.__slots__:
                yield _by_source(name, text, self.gauges.sources)


def _lease(lease: LeaseGauges) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    name = f"{PREFIX}_lease"
    yield GaugeMetricFamily(
        f"{name}_owner", "1 while the lease of the database is certain.", value=lease.owner
    )
    yield GaugeMetricFamily(
        f"{name}_epoch", "Number of claims of the database so far.", value=lease.epoch
    )
    yield GaugeMetricFamily(
        f"{name}_seconds", "Time for which the lease is certain.", value=lease.seconds
    )
    renewals = CounterMetricFamily(f"{name}_renewals", "Renewals of the lease.", labels=["outcome"])
    renewals.add_metric(["renewed"], lease.renewals)
    renewals.add_metric(["failed"], lease.failed_renewals)
    yield renewals
    yield CounterMetricFamily(
        f"{name}_takeovers", "Claims of the database by this program.", value=lease.takeovers
    )


def _tracked(gauges: Gauges) -> GaugeMetricFamily:
    name, text = f"{PREFIX}_tracked", "Transactions by state."
    if not gauges.sources:
        family = GaugeMetricFamily(name, text, labels=["state"])
        for state, count in sorted(gauges.tracked.items()):
            family.add_metric([state], count)
        return family
    family = GaugeMetricFamily(name, text, labels=["source", "state"])
    for source, values in gauges.sources.items():
        for state, count in sorted(values.tracked.items()):
            family.add_metric([source, state], count)
    return family


def _by_source(name: str, text: str, sources: Mapping[str, SourceGauges]) -> GaugeMetricFamily:
    """Return a gauge with a value for each source for which it is known."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["source"])
    for source, values in sources.items():
        value = getattr(values, name)
        if value is not None:
            family.add_metric([source], value)
    return family


def _alerts(counts: Mapping[tuple[AlertKind, AlertSeverity], int]) -> GaugeMetricFamily:
    """Return the gauge of active alerts, with a 0 for each kind that has none."""
    family = GaugeMetricFamily(
        f"{PREFIX}_alerts_active", "Active alerts.", labels=["kind", "severity"]
    )
    for kind in ALERT_KINDS:
        for severity in SEVERITIES:
            family.add_metric([kind, severity], counts.get((kind, severity), 0))
    return family
