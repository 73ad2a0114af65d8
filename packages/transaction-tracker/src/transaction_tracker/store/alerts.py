"""The stored alerts and their undelivered notices, and what the database shows of faults."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from transaction_tracker.domain.alert import Alert, AlertNotice
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store.chain import frozen_sources
from transaction_tracker.store.endpoint_status import oldest_pending
from transaction_tracker.store.endpoints import disable, load_all
from transaction_tracker.store.rows import clean
from transaction_tracker.store.schema import alert_notices, alerts

# Cleared alerts that are kept, for operators.
MAX_CLEARED = 200

NoticeKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Changes that are not stored yet. Storing them twice has no effect.

    Attributes:
        alerts: New and changed alerts.
        notices: New notices.
        settled: Keys of notices that were delivered or dropped.
        gone: Endpoints that reject further messages, with the reason.
    """

    alerts: Sequence[Alert] = ()
    notices: Sequence[AlertNotice] = ()
    settled: Sequence[NoticeKey] = ()
    gone: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseView:
    """What the database shows of the service.

    Attributes:
        frozen_since: Since when deliveries are frozen, in Unix seconds; ``None`` if they are not.
        frozen: The same by source, for those whose deliveries are frozen.
        oldest_pending: When the oldest pending delivery to an enabled endpoint was stored.
        endpoints: All webhook endpoints.
    """

    frozen_since: float | None = None
    oldest_pending: float | None = None
    endpoints: tuple[WebhookEndpoint, ...] = ()
    frozen: Mapping[str, float] = field(default_factory=dict, compare=False)


def view(connection: Connection) -> DatabaseView:
    """Return what the database shows of the service."""
    frozen = frozen_sources(connection)
    return DatabaseView(
        min(frozen.values(), default=None),
        oldest_pending(connection),
        tuple(load_all(connection)),
        frozen,
    )


def load(connection: Connection) -> tuple[list[Alert], list[AlertNotice]]:
    """Return the alerts, the oldest first, and the undelivered notices, in their order."""
    query = select(alerts).order_by(alerts.c.raised_at, alerts.c.id)
    found = [_alert(row) for row in connection.execute(query)]
    order = alert_notices.c.created_at, alert_notices.c.alert_id, alert_notices.c.version
    notices = connection.execute(select(alert_notices).order_by(*order))
    return found, [
        AlertNotice(row.endpoint_id, row.alert_id, row.version, row.body.encode(), row.created_at)
        for row in notices
    ]


def load_active(connection: Connection) -> list[Alert]:
    """Return the active alerts, the oldest first."""
    query = select(alerts).where(alerts.c.cleared_at.is_(None)).order_by(alerts.c.raised_at)
    return [_alert(row) for row in connection.execute(query)]


def save(connection: Connection, changes: AlertChanges) -> None:
    """Store changes, and delete the oldest cleared alerts if there are too many."""
    if changes.alerts:
        _replace_alerts(connection, changes.alerts)
    keys = [(notice.endpoint, notice.alert, notice.version) for notice in changes.notices]
    # A change is stored again if its first commit was not confirmed in time.
    _delete_notices(connection, [*keys, *changes.settled])
    settled = set(changes.settled)
    rows = [
        _notice_row(notice)
        for notice, key in zip(changes.notices, keys, strict=True)
        if key not in settled
    ]
    if rows:
        connection.execute(insert(alert_notices), rows)
    for endpoint, reason in changes.gone.items():
        disable(connection, endpoint, reason)


def _replace_alerts(connection: Connection, changed: Iterable[Alert]) -> None:
    rows = {alert.id: _alert_row(alert) for alert in changed}
    connection.execute(delete(alerts).where(alerts.c.id.in_(list(rows))))
    connection.execute(insert(alerts), list(rows.values()))
    cleared = alerts.c.cleared_at.is_not(None)
    oldest_kept = connection.execute(
        select(alerts.c.cleared_at)
        .where(cleared)
        .order_by(alerts.c.cleared_at.desc())
        .offset(MAX_CLEARED - 1)
        .limit(1)
    ).scalar()
    if oldest_kept is not None:
        connection.execute(delete(alerts).where(cleared, alerts.c.cleared_at < oldest_kept))


def _delete_notices(connection: Connection, keys: Sequence[NoticeKey]) -> None:
    place = tuple_(alert_notices.c.endpoint_id, alert_notices.c.alert_id, alert_notices.c.version)
    # Databases limit the number of parameters of a statement.
    for start in range(0, len(keys), 100):
        connection.execute(delete(alert_notices).where(place.in_(keys[start : start + 100])))


def _alert_row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "subject": clean(alert.subject),
        "severity": alert.severity,
        "text": clean(alert.text),
        "since": alert.since,
        "raised_at": alert.raised_at,
        "version": alert.version,
        "cleared_at": alert.cleared_at,
    }


def _notice_row(notice: AlertNotice) -> dict[str, Any]:
    return {
        "endpoint_id": notice.endpoint,
        "alert_id": notice.alert,
        "version": notice.version,
        "body": notice.body.decode(),
        "created_at": notice.created_at,
    }


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        row.id,
        cast("Any", row.kind),
        row.subject,
        cast("Any", row.severity),
        row.text,
        row.since,
        row.raised_at,
        row.version,
        row.cleared_at,
    )
