"""Alerts about the service: their kinds, and when each is raised, changed and cleared."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

AlertKind: TypeAlias = Literal[
    "source.halted",  # blocks are due and none is applied, or an end is held back
    "source.lagging",  # no provider's head advances, or our last block is far behind the head
    "provider.down",  # a provider cannot be used
    "finality_violation",  # a final block was removed; deliveries are frozen until resumed
    "outbox.stalled",  # deliveries are late, or the database does not answer
    "endpoint.failing",  # all recent attempts at a webhook endpoint have failed
    "tracker.parked",  # a transaction is not tracked any longer
    "disk.low",  # the file system of the database is nearly full
]
ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)

AlertSeverity: TypeAlias = Literal["warning", "critical"]
SEVERITIES: tuple[AlertSeverity, ...] = get_args(AlertSeverity)

AlertChange: TypeAlias = Literal["raised", "changed", "cleared"]

# The kind and the subject: at most one alert of a pair is active.
AlertKey: TypeAlias = tuple[AlertKind, str]

_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Symptom:
    """A fault that is observed now.

    Attributes:
        kind: The kind of its alert.
        subject: The source, provider, endpoint, transaction or part of the service at fault.
        severity: Its severity now.
        text: The fault and what to do, in words for an operator. Contains no secret.
        delay: Seconds for which it must last before its alert is raised.
        since: Unix seconds of its start; ``None`` if it started when it was first observed.
    """

    kind: AlertKind
    subject: str
    severity: AlertSeverity
    text: str
    delay: float = 0.0
    since: float | None = None

    @property
    def key(self) -> AlertKey:
        """The kind and the subject."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, as it was reported last.

    Attributes:
        id: Its id, which never changes.
        kind: Its kind.
        subject: The source, provider, endpoint, transaction or part of the service at fault.
        severity: Its severity.
        text: The fault and what to do.
        since: Unix seconds of the start of the fault.
        raised_at: Unix seconds when it was raised.
        version: 1 when it is raised; each change adds 1.
        cleared_at: Unix seconds when it was cleared; ``None`` while it is active.
    """

    id: str
    kind: AlertKind
    subject: str
    severity: AlertSeverity
    text: str
    since: float
    raised_at: float
    version: int = 1
    cleared_at: float | None = None

    @property
    def key(self) -> AlertKey:
        """The kind and the subject."""
        return self.kind, self.subject

    @property
    def active(self) -> bool:
        """Whether it has not been cleared."""
        return self.cleared_at is None

    @property
    def change(self) -> AlertChange:
        """The last change of the alert, which it reports."""
        if self.cleared_at is not None:
            return "cleared"
        return "raised" if self.version == 1 else "changed"


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """The message about one change of an alert to one endpoint.

    Attributes:
        endpoint: The endpoint's id.
        alert: The alert's id.
        version: The alert's version.
        body: The message, the same at each attempt.
        created_at: Unix seconds.
    """

    endpoint: str
    alert: str
    version: int
    body: bytes = field(repr=False)
    created_at: float

    @property
    def message_id(self) -> str:
        """The ``webhook-id``, the same at each attempt and at each endpoint."""
        return f"{self.alert}:{self.version}"


@dataclass(frozen=True, slots=True)
class FaultWatch:
    """A fault over time: observed but not yet raised, active, or gone but not yet cleared.

    Times are seconds of any one clock, unless they are in the alert.

    Attributes:
        seen_at: When the fault was first observed.
        seen_wall: The same in Unix seconds.
        alert: The active alert; ``None`` before it is raised.
        milder_at: Since when the fault is less severe than its alert.
        gone_at: Since when the fault is gone.
    """

    seen_at: float
    seen_wall: float
    alert: Alert | None = None
    milder_at: float | None = None
    gone_at: float | None = None


@dataclass(frozen=True, slots=True)
class AlertMoment:
    """The time of an evaluation, and how long an improvement must last.

    Attributes:
        now: Seconds of the clock by which faults last; a suspend of the program does not count.
        wall: Unix seconds.
        hold: Seconds for which a fault must be gone, or less severe, before that is reported.
        holds: The same for single faults, if it is longer.
    """

    now: float
    wall: float
    hold: float
    holds: Mapping[AlertKey, float] = field(default_factory=dict)

    def has_lasted(self, key: AlertKey, since: float) -> bool:
        """Return whether an improvement since ``since`` has lasted long enough."""
        return self.now - since >= max(self.hold, self.holds.get(key, 0.0))


@dataclass(frozen=True, slots=True)
class FaultWatches:
    """All observed faults and active alerts, as a value.

    Attributes:
        by_key: The faults by kind and subject.
    """

    by_key: Mapping[AlertKey, FaultWatch] = field(default_factory=dict)

    @property
    def active(self) -> tuple[Alert, ...]:
        """The active alerts, the oldest first."""
        alerts = [watch.alert for watch in self.by_key.values() if watch.alert is not None]
        return tuple(sorted(alerts, key=lambda alert: (alert.raised_at, alert.id)))

    @classmethod
    def restored(cls, alerts: Iterable[Alert], now: float) -> "FaultWatches":
        """Return the watches of alerts that were active when the program stopped."""
        return cls({alert.key: FaultWatch(now, alert.since, alert=alert) for alert in alerts})

    def after(
        self,
        symptoms: Iterable[Symptom],
        unknown: Collection[AlertKind | AlertKey],
        moment: AlertMoment,
    ) -> tuple["FaultWatches", tuple[Alert, ...]]:
        """Return the watches after an evaluation, and the alerts that changed.

        An alert is raised once its symptom has lasted, and cleared once it has been gone for a
        while. A higher severity is reported at once, a lower one after the same while. So a fault
        that comes and goes is reported once.

        Args:
            symptoms: All faults that are observed now.
            unknown: Kinds and keys about which nothing is known now: their alerts stay as they are.
            moment: The time.
        """
        watches: dict[AlertKey, FaultWatch] = {}
        changed: list[Alert] = []
        seen = {symptom.key: symptom for symptom in symptoms}
        for key in dict.fromkeys((*self.by_key, *seen)):
            watch, symptom = self.by_key.get(key), seen.get(key)
            if symptom is not None:
                watch = _observed(watch, symptom, moment)
            elif watch is not None and key not in unknown and key[0] not in unknown:
                watch = _absent(watch, moment)
            if watch is None:
                continue
            before = self.by_key.get(key)
            if watch.alert is not None and (before is None or watch.alert != before.alert):
                changed.append(watch.alert)
            if watch.alert is None or watch.alert.active:
                watches[key] = watch
        return FaultWatches(watches), tuple(changed)


def _observed(watch: FaultWatch | None, symptom: Symptom, moment: AlertMoment) -> FaultWatch:
    """Return the watch of a fault that is observed now."""
    watch = watch or FaultWatch(moment.now, moment.wall)
    alert = watch.alert
    if alert is None:
        lasts = moment.now - watch.seen_at >= symptom.delay
        return replace(watch, alert=_raised(watch, symptom, moment)) if lasts else watch
    watch = replace(watch, gone_at=None)
    if symptom.severity == alert.severity:
        return replace(watch, milder_at=None)
    milder_at = moment.now if watch.milder_at is None else watch.milder_at
    if symptom.severity == "warning" and not moment.has_lasted(symptom.key, milder_at):
        return replace(watch, milder_at=milder_at)
    changed = replace(
        alert, severity=symptom.severity, text=symptom.text, version=alert.version + 1
    )
    return replace(watch, alert=changed, milder_at=None)


def _absent(watch: FaultWatch, moment: AlertMoment) -> FaultWatch | None:
    """Return the watch of a fault that is not observed now; ``None`` if it was never raised."""
    alert = watch.alert
    if alert is None:
        return None
    gone_at = moment.now if watch.gone_at is None else watch.gone_at
    if moment.has_lasted(alert.key, gone_at):
        alert = replace(alert, version=alert.version + 1, cleared_at=moment.wall)
    return replace(watch, alert=alert, gone_at=gone_at)


def _raised(watch: FaultWatch, symptom: Symptom, moment: AlertMoment) -> Alert:
    return Alert(
        f"al_{secrets.token_hex(_ID_BYTES)}",
        symptom.kind,
        symptom.subject,
        symptom.severity,
        symptom.text,
        watch.seen_wall if symptom.since is None else symptom.since,
        moment.wall,
    )


def alert_kinds_of(given: Sequence[str]) -> tuple[AlertKind, ...]:
    """Return the kinds of alerts that are wanted.

    Raises:
        ValueError: A kind is unknown.
    """
    unknown = sorted(set(given) - set(ALERT_KINDS))
    if unknown or isinstance(given, str):
        invalid = ", ".join(map(repr, unknown)) if not isinstance(given, str) else repr(given)
        raise ValueError(f"alerts must be some of {', '.join(ALERT_KINDS)}, got {invalid}")
    return tuple(kind for kind in ALERT_KINDS if kind in given)
