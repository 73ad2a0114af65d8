"""What is measured when somebody asks, because nobody is told when it changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from transaction_tracker.domain import State

PREFIX = "transaction_tracker"


@dataclass(frozen=True, slots=True)
class Gauges:
    """How things stand; what is ``None`` is not known, and left out.

    Attributes:
        tracked: Transactions by state.
        parked: Open ones whose tracker was given up.
        head_lag_seconds: Since the source's head was heard last.
        head_lag_blocks: From the last applied block to that head.
        source_halted: 1 while the source does not move although it should, else 0.
        source_lagging: 1 while no provider's head advances, else 0.
        last_block_applied_seconds: Since a block was applied.
        ends_held: 1 while ends are held back because healthy providers disagree, else 0.
        outbox_pending: Events that wait to be delivered, once per endpoint.
        outbox_oldest_seconds: How long the oldest of them waits.
        endpoints_failing: Enabled endpoints at which every attempt in a row has failed.
        deliveries_frozen: 1 while events are delivered to nobody, after a finality violation.
        registering: Transactions being registered.
        waiters: Long polls under way.
        streams: Event streams open.
    """

    tracked: Mapping[State, int] = field(default_factory=dict)
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
    "parked": "Open transactions whose tracker was given up.",
    "head_lag_seconds": "Time since the source told its head.",
    "head_lag_blocks": "Blocks from the last applied one to the source's head.",
    "source_halted": "1 while the source does not move although it should, else 0.",
    "source_lagging": "1 while no provider's head advances, else 0.",
    "last_block_applied_seconds": "Time since a block was applied.",
    "ends_held": "1 while ends are held back because healthy providers disagree, else 0.",
    "outbox_pending": "Events that wait to be delivered, once per endpoint.",
    "outbox_oldest_seconds": "How long the oldest of them waits.",
    "endpoints_failing": "Enabled endpoints at which every attempt in a row has failed.",
    "deliveries_frozen": "1 while a finality violation has stopped all deliveries, else 0.",
    "registering": "Transactions being registered.",
    "waiters": "Long polls under way.",
    "streams": "Event streams open.",
}


class Snapshot(Collector):
    """The gauges as they were put in last."""

    def __init__(self) -> None:
        self.gauges = Gauges()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give them to Prometheus."""
        tracked = GaugeMetricFamily(f"{PREFIX}_tracked", "Transactions by state.", labels=["state"])
        for state, count in sorted(self.gauges.tracked.items()):
            tracked.add_metric([state], count)
        yield tracked
        for name, text in _TEXTS.items():
            value = getattr(self.gauges, name)
            if value is not None:
                yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
