"""Gauges: values that are read when Prometheus scrapes, not counted from events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from transaction_tracker.domain import State
from transaction_tracker.domain.alert import ALERT_KINDS, SEVERITIES, AlertKind, AlertSeverity

PREFIX = "transaction_tracker"


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


_TEXTS = {
    "alerts_evaluated_seconds": "Time since the alerts were last evaluated.",
    "alert_notices_pending": "Undelivered notices of alerts to endpoints.",
    "parked": "Parked transactions.",
    "head_lag_seconds": "Time since the last answer about the source's head.",
    "head_lag_blocks": "Blocks from the last applied block to the source's head.",
    "source_halted": "1 while the source is halted, otherwise 0.",
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

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric families of the gauges."""
        tracked = GaugeMetricFamily(f"{PREFIX}_tracked", "Transactions by state.", labels=["state"])
        for state, count in sorted(self.gauges.tracked.items()):
            tracked.add_metric([state], count)
        yield tracked
        if self.gauges.alerts is not None:
            yield _alerts(self.gauges.alerts)
        for name, text in _TEXTS.items():
            value = getattr(self.gauges, name)
            if value is not None:
                yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _alerts(counts: Mapping[tuple[AlertKind, AlertSeverity], int]) -> GaugeMetricFamily:
    """Return the gauge of active alerts, with a 0 for each kind that has none."""
    family = GaugeMetricFamily(
        f"{PREFIX}_alerts_active", "Active alerts.", labels=["kind", "severity"]
    )
    for kind in ALERT_KINDS:
        for severity in SEVERITIES:
            family.add_metric([kind, severity], counts.get((kind, severity), 0))
    return family
