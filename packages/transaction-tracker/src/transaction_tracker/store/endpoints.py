"""The stored webhook endpoints: plain functions on a connection."""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from transaction_tracker.domain import State
from transaction_tracker.domain.alert import ALERT_KINDS, AlertKind
from transaction_tracker.domain.webhook_endpoint import (
    MAX_ENDPOINTS,
    WebhookEndpoint,
    WebhookSecret,
)
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.rows import STATE_VALUES
from transaction_tracker.store.schema.outbox import attempts, endpoints, outbox


def add(
    connection: Connection,
    url: str,
    secret: WebhookSecret,
    states: Sequence[State] | None,
    alerts: Sequence[AlertKind] = (),
    endpoint_id: str | None = None,
) -> WebhookEndpoint:
    """Store a new endpoint.

    Args:
        connection: The database.
        url: Its URL.
        secret: Its secret.
        states: States whose events it receives; ``None`` for all.
        alerts: Kinds of alerts that it receives.
        endpoint_id: Its id, for an endpoint of several shards. If it is stored already, with the
            same secret, its other values are changed. Default: a new one.

    Raises:
        StoreError: There are too many endpoints, or the id belongs to another one.
    """
    known = None if endpoint_id is None else load(connection, endpoint_id)
    if known is not None:
        if known.secret != secret:
            raise StoreError(f"the id {known.id} belongs to another endpoint; leave it out")
        return change(connection, known.id, url, states, alerts) or known
    count = connection.execute(select(func.count()).select_from(endpoints)).scalar_one()
    if count >= MAX_ENDPOINTS:
        raise StoreError(f"there are already {count} endpoints; remove one first")
    endpoint = WebhookEndpoint(
        id=endpoint_id or new_id(),
        url=url,
        states=None if states is None else tuple(states),
        secret=secret,
        created_at=time.time(),
        alerts=tuple(alerts),
    )
    connection.execute(insert(endpoints), _row(endpoint))
    return endpoint


def new_id() -> str:
    """Return a new random id of an endpoint."""
    return f"ep_{secrets.token_hex(12)}"


def load(connection: Connection, endpoint: str) -> WebhookEndpoint | None:
    """Return an endpoint, or ``None``."""
    row = connection.execute(select(endpoints).where(endpoints.c.id == endpoint)).first()
    return None if row is None else endpoint_from(row)


def load_all(connection: Connection) -> list[WebhookEndpoint]:
    """Return all endpoints, the oldest first."""
    query = select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id)
    return [endpoint_from(row) for row in connection.execute(query)]


def enable(connection: Connection, endpoint: str) -> WebhookEndpoint | None:
    """Enable an endpoint; pending deliveries continue."""
    return _set(connection, endpoint, enabled=True, disabled_reason=None)


def disable(connection: Connection, endpoint: str, reason: str) -> WebhookEndpoint | None:
    """Disable an endpoint; pending deliveries wait."""
    return _set(connection, endpoint, enabled=False, disabled_reason=reason)


def set_failing(connection: Connection, endpoint: str, since: float | None) -> None:
    """Store since when (Unix seconds) an endpoint fails; ``None`` if it works again."""
    _set(connection, endpoint, failing_since=since)


def change(
    connection: Connection,
    endpoint: str,
    url: str,
    states: Sequence[State] | None,
    alerts: Sequence[AlertKind] = (),
) -> WebhookEndpoint | None:
    """Change the URL, states and alerts of an endpoint; pending deliveries go to the new URL."""
    values = {"url": url, "states": _states_text(states), "alerts": json.dumps(list(alerts))}
    return _set(connection, endpoint, **values)


def rotate(
    connection: Connection, endpoint: str, secret: WebhookSecret, overlap: float
) -> WebhookEndpoint | None:
    """Set a new secret; the previous one stays valid for ``overlap`` seconds."""
    return _set(
        connection,
        endpoint,
        secret=secret.reveal(),
        previous_secret=endpoints.c.secret,
        previous_until=time.time() + overlap,
    )


def remove(connection: Connection, endpoint: str) -> bool:
    """Delete an endpoint with its deliveries and attempts; return whether there was one."""
    connection.execute(delete(outbox).where(outbox.c.endpoint_id == endpoint))
    connection.execute(delete(attempts).where(attempts.c.endpoint_id == endpoint))
    deleted = connection.execute(delete(endpoints).where(endpoints.c.id == endpoint))
    return bool(deleted.rowcount)


def _set(connection: Connection, endpoint: str, **values: Any) -> WebhookEndpoint | None:
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint).values(values))
    return load(connection, endpoint)


def _row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "states": _states_text(endpoint.states),
        "alerts": json.dumps(list(endpoint.alerts)),
        "secret": endpoint.secret.reveal(),
        "enabled": endpoint.enabled,
        "created_at": endpoint.created_at,
    }


def endpoint_from(row: Row[Any]) -> WebhookEndpoint:
    """Convert a row to an endpoint."""
    previous = None if row.previous_secret is None else WebhookSecret(row.previous_secret)
    return WebhookEndpoint(
        id=row.id,
        url=row.url,
        states=states_from(row.states),
        secret=WebhookSecret(row.secret),
        created_at=row.created_at,
        previous=previous,
        previous_until=row.previous_until,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        alerts=_alerts_from(row.alerts),
    )


def states_from(text: str | None) -> tuple[State, ...] | None:
    """Parse the states whose events an endpoint receives."""
    return None if text is None else tuple(STATE_VALUES[state] for state in json.loads(text))


def _alerts_from(text: str) -> tuple[AlertKind, ...]:
    """Parse the kinds of alerts of an endpoint, without those of another version's program."""
    stored = json.loads(text)
    return tuple(kind for kind in ALERT_KINDS if kind in stored)


def _states_text(states: Sequence[State] | None) -> str | None:
    return None if states is None else json.dumps(list(states))
