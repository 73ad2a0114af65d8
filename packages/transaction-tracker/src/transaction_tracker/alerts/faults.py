"""Which faults the service has, as a pure function of what is observed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from transaction_tracker.alerts.options import AlertOptions
from transaction_tracker.delivery.health import FlowLimits, flow
from transaction_tracker.domain.alert import AlertKey, AlertKind, AlertSeverity, Symptom
from transaction_tracker.follower.verdict import Verdict, limit_seconds
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store.alerts import DatabaseView

# Subjects of alerts about parts of the service.
OUTBOX, DATABASE, DISK, TRACKERS = "outbox", "database", "disk", "trackers"

# Parked transactions with an alert each. One more alert counts the others.
MAX_PARKED_ALERTS = 20

# A disk alert is cleared only above the threshold times this: the free space of a disk that is
# nearly full moves around any threshold for hours.
_DISK_HYSTERESIS = 1.2
_DISK_CRITICAL = 0.2
_MAX_ERROR_CHARACTERS = 300
# Time for a follower to reach the limit of a verdict again, with a margin for its checks.
_VERDICT_MARGIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """What is known of the service without its database.

    Attributes:
        source: Name of the source, for people.
        verdict: Whether the source makes progress: the same verdict as in ``/readyz``.
        verdict_seconds: Seconds since the start of that state.
        block_time: Seconds between blocks.
        blocks_behind: Blocks from the last applied block to the head; ``None`` if unknown.
        providers: Status of the RPC providers.
        parked: Errors of the transactions that were parked first, by their ids.
        parked_count: Number of parked transactions.
        stored_name: Name of the source in the database.
    """

    source: str
    verdict: Verdict
    verdict_seconds: float = 0.0
    block_time: float = 12.0
    blocks_behind: int | None = None
    providers: Sequence[ProviderStatus] = ()
    parked: Mapping[str, str] = field(default_factory=dict)
    parked_count: int = 0
    stored_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that is observed at one moment.

    Attributes:
        wall: Unix seconds.
        service: What is known without the database, of the only source or the first one.
        others: What is known of the other sources.
        database: The last answer of the database; ``None`` before the first.
        silence: Seconds since that answer.
        free_percent: Free part of the database's file system; ``None`` if it has none.
        deaf: Endpoints that do not accept notices of alerts, with the Unix seconds since when.
    """

    wall: float
    service: ServiceFacts
    others: Sequence[ServiceFacts] = ()
    database: DatabaseView | None = None
    silence: float = 0.0
    free_percent: float | None = None
    deaf: Mapping[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> Sequence[ServiceFacts]:
        """What is known of each source."""
        return (self.service, *self.others)


def unknown(observed: Observed) -> frozenset[AlertKind | AlertKey]:
    """Return the faults about which nothing is known: whole kinds, and those of one source."""
    found: set[AlertKind | AlertKey] = set()
    for source in observed.sources:
        if source.verdict.state == "starting":
            # After a restart, the follower must first reach the limit again.
            found |= {("source.halted", source.source), ("source.lagging", source.source)}
    if observed.database is None:
        found |= {"finality_violation", "outbox.stalled", "endpoint.failing"}
    return frozenset(found)


def holds(observed: Observed) -> dict[AlertKey, float]:
    """Return the seconds for which the faults of sources must be gone before they count as gone.

    A source is "ok" from the first response until the limit of the verdict has passed. If its
    alert were cleared earlier, a restart of the program would clear it and raise it again. Each
    source has a limit of its own: with that of a slow chain, a second halt of a fast one would be
    a part of the first for hours, and would not be reported.
    """
    found: dict[AlertKey, float] = {}
    for source in observed.sources:
        limit = limit_seconds(source.block_time) + _VERDICT_MARGIN_SECONDS
        found["source.halted", source.source] = found["source.lagging", source.source] = limit
    return found


def symptoms(
    observed: Observed, options: AlertOptions, active: Collection[AlertKey] = ()
) -> list[Symptom]:
    """Return all faults that are observed.

    Args:
        observed: What is observed.
        options: When something is a fault.
        active: Keys of the active alerts; some faults end at another threshold than they begin.
    """
    found = [
        *_each_source(observed, options),
        *_outbox(observed, options),
        *_endpoints(observed, options),
        *_disk(observed.free_percent, options, is_active=("disk.low", DISK) in active),
    ]
    return [symptom for symptom in found if symptom.kind in options.kinds]


def _each_source(observed: Observed, options: AlertOptions) -> Iterator[Symptom]:
    for source in observed.sources:
        yield from _source(source, observed.wall, options)
        yield from _providers(source, options)
        yield from _parked(source)


def _source(service: ServiceFacts, wall: float, options: AlertOptions) -> Iterator[Symptom]:
    verdict, since = service.verdict, wall - service.verdict_seconds
    if verdict.state == "halted":
        text = f"{verdict.reason}; run txtrack doctor"
        yield Symptom("source.halted", service.source, "critical", text, since=since)
    elif verdict.state == "lagging":
        text = (
            f"{verdict.reason}; compare the heads of txtrack provider ls with an explorer, and set "
            "source.block_time if the chain's blocks are slower"
        )
        yield Symptom("source.lagging", service.source, "warning", text, since=since)
    elif (service.blocks_behind or 0) > options.head_lag_blocks:
        text = (
            f"the last applied block is more than {options.head_lag_blocks:,} blocks behind the "
            "head, and states are late by as much; if the gap grows, compare the latencies of "
            "txtrack provider ls and the load of the machine and its disk"
        )
        delay = limit_seconds(service.block_time)
        yield Symptom("source.lagging", service.source, "warning", text, delay)


def _providers(service: ServiceFacts, options: AlertOptions) -> Iterator[Symptom]:
    left = any(status.healthy for status in service.providers)
    severity: AlertSeverity = "warning" if left else "critical"
    effect = "another one is used meanwhile" if left else "none is usable, and no state changes"
    for status in service.providers:
        if status.healthy or status.by_hand:
            continue
        why = f": {_short(status.last_error)}" if status.last_error else ""
        text = f"the provider is {status.state}{why}; {effect}; run txtrack provider check"
        yield Symptom("provider.down", status.name, severity, text, options.provider_down)


def _outbox(observed: Observed, options: AlertOptions) -> Iterator[Symptom]:
    database = observed.database
    if database is None:
        return
    if not observed.others and database.frozen_since is not None:
        yield _frozen(observed.service.source, database.frozen_since)
    elif database.oldest_pending is not None:
        # While deliveries are frozen, they wait for the operator, not for an endpoint.
        yield from _late(observed.wall, database.oldest_pending, options)
    if observed.others:
        names = {source.stored_name: source.source for source in observed.sources}
        for stored, since in database.frozen.items():
            yield _frozen(names.get(stored, stored), since)
    yield from _silent(observed.wall, observed.silence, options)


def _frozen(source: str, since: float) -> Symptom:
    text = (
        "a reorganisation removed a final block, and all deliveries of events are frozen; find out "
        "what happened, see the runbook, then run txtrack deliveries resume"
    )
    return Symptom("finality_violation", source, "critical", text, since=since)


def _late(wall: float, oldest: float, options: AlertOptions) -> Iterator[Symptom]:
    for severity, seconds in _lateness(wall - oldest, options.flow_limits):
        text = (
            f"the oldest pending delivery has waited for {seconds:g} s or longer; find its "
            "endpoint with txtrack webhook ls"
        )
        yield Symptom("outbox.stalled", OUTBOX, severity, text, since=oldest)


def _silent(wall: float, silence: float, options: AlertOptions) -> Iterator[Symptom]:
    for severity, seconds in _lateness(silence, options.flow_limits):
        text = (
            f"the database has not answered for {seconds:g} s or longer: no state changes and no "
            "event is delivered; check its server or its disk"
        )
        yield Symptom("outbox.stalled", DATABASE, severity, text, since=wall - silence)


def _lateness(age: float, limits: FlowLimits) -> list[tuple[AlertSeverity, float]]:
    """Return the severity of an age and the limit that it has reached; empty below both."""
    match flow(age, frozen=False, limits=limits):
        case "behind":
            return [("warning", limits.behind_seconds)]
        case "stalled":
            return [("critical", limits.stalled_seconds)]
        case _:
            return []


def _endpoints(observed: Observed, options: AlertOptions) -> Iterator[Symptom]:
    failed = f"the last {options.endpoint_failures} attempts or more have failed"
    known = () if observed.database is None else observed.database.endpoints
    for endpoint in known:
        if not endpoint.enabled:
            continue
        if endpoint.failing_since is not None:
            text = f"{failed}, and its events wait; run txtrack webhook attempts {endpoint.id}"
            since = endpoint.failing_since
            yield Symptom("endpoint.failing", endpoint.id, "warning", text, since=since)
        elif endpoint.id in observed.deaf:
            text = f"{failed} to deliver alerts to it; run txtrack webhook test {endpoint.id}"
            since = observed.deaf[endpoint.id]
            yield Symptom("endpoint.failing", endpoint.id, "warning", text, since=since)


def _parked(service: ServiceFacts) -> Iterator[Symptom]:
    for transaction, error in list(service.parked.items())[:MAX_PARKED_ALERTS]:
        text = (
            f"the transaction is parked: {_short(error)}; see txtrack why {transaction}, then run "
            f"txtrack recheck {transaction}"
        )
        yield Symptom("tracker.parked", transaction, "warning", text)
    if service.parked_count > MAX_PARKED_ALERTS:
        text = (
            f"more than {MAX_PARKED_ALERTS} transactions are parked; list them with txtrack ls "
            "--json, and compare their errors"
        )
        yield Symptom("tracker.parked", TRACKERS, "critical", text)


def _disk(free: float | None, options: AlertOptions, *, is_active: bool) -> Iterator[Symptom]:
    limit = options.disk_free_percent * (_DISK_HYSTERESIS if is_active else 1.0)
    if free is None or free >= limit:
        return
    is_critical = free < options.disk_free_percent * _DISK_CRITICAL
    text = (
        f"less than {options.disk_free_percent:g} % of the database's file system is free, and the "
        "service stops tracking when it is full; free space, or remove old transactions with "
        "txtrack prune"
    )
    yield Symptom("disk.low", DISK, "critical" if is_critical else "warning", text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    cut = line[: _MAX_ERROR_CHARACTERS - 1] + "…"
    return line if len(line) <= _MAX_ERROR_CHARACTERS else cut
