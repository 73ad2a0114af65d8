"""The alerts and their undelivered notices in memory, for every part of the program."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from transaction_tracker.alerts import payload
from transaction_tracker.awake import AwakeClock
from transaction_tracker.domain.alert import (
    Alert,
    AlertKind,
    AlertNotice,
    AlertSeverity,
    FaultWatches,
)
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store.alerts import (
    MAX_CLEARED,
    AlertChanges,
    DatabaseView,
    NoticeKey,
)

# Undelivered notices that are kept for one endpoint; beyond it, the oldest are dropped.
MAX_QUEUED = 100

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(slots=True)
class NoticeQueue:
    """The undelivered notices of one endpoint, in the order of delivery.

    Attributes:
        notices: The notices.
        failures: Failed attempts in a row.
        failed_at: Unix seconds of the first of them; ``None`` after a success.
        due_at: When the next attempt can start, in seconds of the event loop's clock.
    """

    notices: deque[AlertNotice] = field(default_factory=deque)
    failures: int = 0
    failed_at: float | None = None
    due_at: float = 0.0


class AlertBoard:
    """The alerts, their notices, and the last answer of the database.

    Outlives the processes that write it: a process that crashes and restarts continues where it
    was, and reports nothing twice. All of it works while the database does not answer: changes
    are kept in memory until they are stored.

    Args:
        clock: Returns the time in seconds. Default: an `AwakeClock`, so that a suspend of the
            program is not taken for a fault that lasts.

    Attributes:
        watches: The observed faults and active alerts.
        endpoints: The webhook endpoints, by their ids, as the database showed them last.
        queues: The undelivered notices, by the ids of their endpoints.
        view: The last answer of the database; ``None`` before the first.
        free_percent: Free part of the database's file system; ``None`` if unknown.
    """

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or AwakeClock()
        self._cleared: deque[Alert] = deque(maxlen=MAX_CLEARED)
        self._answered_at = self._clock()
        self._evaluated_at: float | None = None
        self._changed: dict[str, Alert] = {}
        self._new: dict[NoticeKey, AlertNotice] = {}
        self._settled: set[NoticeKey] = set()
        self._gone: dict[str, str] = {}
        self.watches: FaultWatches = FaultWatches()
        self.endpoints: dict[str, WebhookEndpoint] = {}
        self.queues: dict[str, NoticeQueue] = {}
        self.view: DatabaseView | None = None
        self.free_percent: float | None = None

    # -- For all readers

    @property
    def active(self) -> tuple[Alert, ...]:
        """The active alerts, the oldest first."""
        return self.watches.active

    @property
    def cleared(self) -> tuple[Alert, ...]:
        """The last cleared alerts, the newest first."""
        return tuple(reversed(self._cleared))

    def counts(self) -> Counter[tuple[AlertKind, AlertSeverity]]:
        """Return the numbers of active alerts, by kind and severity."""
        return Counter((alert.kind, alert.severity) for alert in self.active)

    def now(self) -> float:
        """Return the time in seconds, as the watches count it."""
        return self._clock()

    @property
    def silence(self) -> float:
        """Seconds since the last answer of the database; 0 before the first."""
        return 0.0 if self.view is None else self.now() - self._answered_at

    @property
    def evaluated_seconds(self) -> float | None:
        """Seconds since the last evaluation; ``None`` before the first."""
        return None if self._evaluated_at is None else self.now() - self._evaluated_at

    @property
    def queued(self) -> int:
        """Number of undelivered notices."""
        return sum(len(queue.notices) for queue in self.queues.values())

    # -- For the watcher

    def deaf(self, threshold: int) -> dict[str, float]:
        """Return the endpoints that do not accept notices, with the Unix seconds since when.

        Args:
            threshold: Failed attempts in a row after which an endpoint counts.
        """
        return {
            key: queue.failed_at
            for key, queue in self.queues.items()
            if queue.failures >= threshold and queue.failed_at is not None
        }

    def evaluated(self, watches: FaultWatches, changed: Iterable[Alert]) -> None:
        """Record the result of an evaluation: alerts that changed are stored and delivered."""
        self.watches, self._evaluated_at = watches, self.now()
        for alert in changed:
            self._changed[alert.id] = alert
            if not alert.active:
                self._cleared.append(alert)
            for notice in self._notices(alert):
                self._new[_key(notice)] = notice
                self._enqueue(notice)

    def _notices(self, alert: Alert) -> Iterator[AlertNotice]:
        now = time.time()
        body = payload.body(alert, now)
        for endpoint in self.endpoints.values():
            # An endpoint that fails would not get the message about its own failure.
            if endpoint.enabled and alert.kind in endpoint.alerts and endpoint.id != alert.subject:
                yield AlertNotice(endpoint.id, alert.id, alert.version, body, now)

    def _enqueue(self, notice: AlertNotice) -> None:
        queue = self.queues.setdefault(notice.endpoint, NoticeQueue())
        queue.notices.append(notice)
        if len(queue.notices) > MAX_QUEUED:
            self.drop(queue.notices[0], f"more than {MAX_QUEUED} notices wait")

    # -- For the sender

    def delivered(self, notice: AlertNotice) -> None:
        """Remove a notice that was delivered."""
        self._settle(notice)

    def drop(self, notice: AlertNotice, why: str) -> None:
        """Remove a notice that will not be delivered."""
        self._settle(notice)
        logger.error(
            "alert notice %s to endpoint %s is dropped: %s",
            notice.message_id,
            notice.endpoint,
            why,
            extra={"endpoint": notice.endpoint, "alert": notice.alert},
        )

    def gone(self, endpoint: str, reason: str) -> None:
        """Disable an endpoint that rejects further messages; its notices wait."""
        self._gone[endpoint] = reason

    def _settle(self, notice: AlertNotice) -> None:
        # During its attempt, the notice can have been dropped, or its endpoint removed.
        queue = self.queues.get(notice.endpoint)
        if queue is not None and queue.notices and queue.notices[0] == notice:
            queue.notices.popleft()
            self._settled.add(_key(notice))

    # -- For the keeper

    @property
    def loaded(self) -> bool:
        """Whether the stored alerts were loaded."""
        return self.view is not None

    def load(self, alerts: Iterable[Alert], notices: Iterable[AlertNotice]) -> None:
        """Take over the alerts and notices of the program's last run."""
        known = list(alerts)
        active = [alert for alert in known if alert.active]
        cleared = [alert for alert in known if not alert.active]
        self.watches = FaultWatches.restored(active, self.now())
        self._cleared.extend(sorted(cleared, key=lambda alert: alert.cleared_at or 0.0))
        for notice in notices:
            self._enqueue(notice)

    def answered(self, view: DatabaseView) -> None:
        """Record an answer of the database; notices of removed endpoints are dropped."""
        self.view, self._answered_at = view, self.now()
        self.endpoints = {endpoint.id: endpoint for endpoint in view.endpoints}
        for endpoint in self.queues.keys() - self.endpoints.keys():
            self._settled.update(_key(notice) for notice in self.queues.pop(endpoint).notices)

    @property
    def has_changes(self) -> bool:
        """Whether a change is not stored yet."""
        return bool(self._changed or self._new or self._settled or self._gone)

    def changes(self) -> AlertChanges:
        """Return the changes that are not stored yet."""
        return AlertChanges(
            tuple(self._changed.values()),
            tuple(self._new.values()),
            tuple(self._settled),
            dict(self._gone),
        )

    def stored(self, changes: AlertChanges) -> None:
        """Record that changes are stored."""
        for alert in changes.alerts:
            if self._changed.get(alert.id) == alert:
                del self._changed[alert.id]
        for notice in changes.notices:
            self._new.pop(_key(notice), None)
        self._settled.difference_update(changes.settled)
        for endpoint in changes.gone:
            self._gone.pop(endpoint, None)


def _key(notice: AlertNotice) -> NoticeKey:
    return notice.endpoint, notice.alert, notice.version
