"""The deliveries of each endpoint: plain functions on a connection.

A delivery waits while an earlier event of its transaction is pending at the same endpoint: its due
time is NULL then. Settling the earlier delivery sets the due time of the next one.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from transaction_tracker.domain import Event, State
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store import attempts
from transaction_tracker.store.deliveries import Backlog, Batch, Delivery
from transaction_tracker.store.endpoints import disable, endpoint_from, states_from
from transaction_tracker.store.feed import entry, select_entries
from transaction_tracker.store.rescheduling import is_late, reschedule
from transaction_tracker.store.schema.blocks import cursors
from transaction_tracker.store.schema.events import events
from transaction_tracker.store.schema.outbox import endpoints, outbox

# Literal as in the partial indexes: SQLite does not use them for a parameter of the same value.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_DEAD: ColumnElement[str] = literal_column("'dead'")
_DELIVERED: ColumnElement[str] = literal_column("'delivered'")


def enqueue(connection: Connection, written: Sequence[tuple[int, Event]]) -> None:
    """Store the deliveries of new events to all endpoints that receive them.

    Only for the store, in the database transaction that writes the events.

    Args:
        connection: The database.
        written: Events with their consecutive positions.
    """
    subscriptions = _subscriptions(connection) if written else {}
    if not subscriptions:
        return
    first, last = written[0][0], written[-1][0]
    for states, ids in subscriptions.items():
        _insert(connection, ids, _events_between(first, last, states))
    _release(
        connection, [endpoint for ids in subscriptions.values() for endpoint in ids], first, last
    )


def due(
    connection: Connection,
    endpoint: str,
    limit: int,
    busy: Collection[int] = (),
    *,
    clock_changed: bool = True,
) -> Batch:
    """Return the deliveries that are due at an endpoint, and when the next one is due.

    Args:
        connection: The database.
        endpoint: The endpoint's id.
        limit: Maximum number of deliveries.
        busy: Positions of the deliveries in flight, which are left out.
        clock_changed: Whether to correct all future due times, because the clock can have been
            ahead. A due time beyond the longest delay is corrected in any case.
    """
    mine, now = _pending(endpoint), time.time()
    # A single statement: hundreds of workers ask at the same moment.
    frozen = select(func.count(cursors.c.frozen_since)).scalar_subquery().label("frozen")
    sources = select(func.count()).select_from(cursors).scalar_subquery().label("sources")
    newest = select(func.max(outbox.c.due_at)).where(mine).scalar_subquery().label("latest")
    query = select(endpoints, frozen, sources, newest).where(endpoints.c.id == endpoint)
    row = connection.execute(query).first()
    found = None if row is None else endpoint_from(row)
    if row is None or found is None or not found.enabled:
        return Batch(found)
    if row.frozen and row.frozen == row.sources:
        return Batch(found, frozen=True)
    latest = row.latest
    if is_late(found.previous_until, latest, now, clock_changed=clock_changed):
        reschedule(connection, endpoint, now)
    chosen = _deliveries().where(mine, outbox.c.due_at <= now)
    if row.frozen:
        paused = select(cursors.c.source).where(cursors.c.frozen_since.is_not(None))
        chosen = chosen.where(events.c.source.not_in(paused))
    rows = connection.execute(
        chosen.order_by(outbox.c.due_at, outbox.c.position).limit(limit + len(busy))
    )
    deliveries = [_delivery(row) for row in rows if row.position not in busy]
    next_due = None
    if latest is not None and latest > now:
        later = select(func.min(outbox.c.due_at)).where(mine, outbox.c.due_at > now)
        next_due = connection.execute(later).scalar()
    return Batch(found, tuple(deliveries[:limit]), next_due)


def delivered(connection: Connection, delivery: Delivery, status: int | None) -> None:
    """Store that a delivery succeeded, and make the transaction's next one due."""
    _settle(connection, delivery, {"state": "delivered", "status": status, "error": None})


def dead(connection: Connection, delivery: Delivery, status: int | None, error: str) -> None:
    """Make a delivery a dead letter, and make the transaction's next one due."""
    _settle(connection, delivery, {"state": "dead", "status": status, "error": _short(error)})


def failed(
    connection: Connection, delivery: Delivery, due_at: float, status: int | None, error: str
) -> None:
    """Store why an attempt failed, and when (Unix seconds) the next is due."""
    # An earlier event of the transaction can have been redelivered meanwhile: then this one waits.
    values = {
        "due_at": case((_has_predecessor(), None), else_=literal(due_at, Float)),
        "tried_at": time.time(),
        "attempts": delivery.attempts + 1,
        "status": status,
        "error": _short(error),
    }
    connection.execute(_update_pending(delivery).values(values))


def refused(connection: Connection, delivery: Delivery, status: int | None, error: str) -> None:
    """Disable an endpoint that rejects further deliveries; pending ones stay pending."""
    failed(connection, delivery, time.time(), status, error)
    disable(connection, delivery.endpoint, f"it rejects further deliveries: {error}")


def dead_letters(connection: Connection, endpoint: str, after: int, limit: int) -> list[Delivery]:
    """Return the dead letters of an endpoint, after a position."""
    query = _deliveries().where(_dead(endpoint), outbox.c.position > after)
    rows = connection.execute(query.order_by(outbox.c.position).limit(limit))
    return [_delivery(row) for row in rows]


def again(connection: Connection, endpoint: str, position: int) -> int:
    """Redeliver one event in any state; return 0 if the endpoint has no delivery of it."""
    return _restart(connection, endpoint, [position])


def again_dead(connection: Connection, endpoint: str, limit: int) -> int:
    """Redeliver dead letters, the oldest first, up to a limit; return their number."""
    query = select(outbox.c.position).where(_dead(endpoint))
    oldest = connection.execute(query.order_by(outbox.c.position).limit(limit)).scalars()
    return _restart(connection, endpoint, oldest.all())


def again_since(
    connection: Connection, endpoint: WebhookEndpoint, after: int, limit: int
) -> tuple[int, int | None]:
    """Redeliver the events after a position, including those that were never delivered.

    Args:
        connection: The database.
        endpoint: The endpoint.
        after: The position before the first event.
        limit: Maximum number of positions.

    Returns:
        The number of deliveries, and the position to continue after; ``None`` at the end.
    """
    first, last = after + 1, after + limit
    existing = outbox.alias("existing")
    exists_already = exists().where(
        existing.c.endpoint_id == endpoint.id, existing.c.position == events.c.position
    )
    _insert(
        connection,
        [endpoint.id],
        _events_between(first, last, endpoint.states).where(~exists_already),
    )
    here = and_(outbox.c.endpoint_id == endpoint.id, outbox.c.position.between(first, last))
    positions = connection.execute(select(outbox.c.position).where(here)).scalars().all()
    count = _restart(connection, endpoint.id, positions)
    more = select(events.c.position).where(events.c.position > last).limit(1)
    return count, None if connection.execute(more).first() is None else last


def backlog(connection: Connection) -> Backlog:
    """Return the number and age of the pending deliveries of all endpoints."""
    query = select(func.count(), func.min(outbox.c.created_at)).where(outbox.c.state == _PENDING)
    count, oldest = connection.execute(query).one()
    return Backlog(count, oldest)


def counts(connection: Connection, endpoint: str) -> tuple[int, int]:
    """Return the numbers of pending deliveries and of dead letters of an endpoint."""
    pending = select(func.count()).select_from(outbox).where(_pending(endpoint))
    given_up = select(func.count()).select_from(outbox).where(_dead(endpoint))
    return connection.execute(pending).scalar_one(), connection.execute(given_up).scalar_one()


def prune(connection: Connection, before: float, limit: int) -> int:
    """Delete deliveries that succeeded before a time, up to a limit; return their number.

    Args:
        connection: Inside a database transaction.
        before: Unix seconds.
        limit: Maximum number of deliveries.
    """
    old = and_(outbox.c.state == _DELIVERED, outbox.c.settled_at < before)
    keys = select(outbox.c.endpoint_id, outbox.c.position).where(old).limit(limit)
    rows = connection.execute(keys).tuples().all()
    each = and_(
        outbox.c.endpoint_id == bindparam("endpoint"), outbox.c.position == bindparam("place")
    )
    if rows:
        parameters = [{"endpoint": endpoint, "place": position} for endpoint, position in rows]
        connection.execute(delete(outbox).where(each), parameters)
        attempts.forget(connection, [(endpoint, position) for endpoint, position in rows])
    return len(rows)


def clear(connection: Connection, endpoint: str, limit: int) -> int:
    """Delete deliveries of an endpoint in any state, up to a limit; return their number."""
    mine = outbox.c.endpoint_id == endpoint
    some = select(outbox.c.position).where(mine).limit(limit).scalar_subquery()
    return connection.execute(delete(outbox).where(mine, outbox.c.position.in_(some))).rowcount


def _subscriptions(connection: Connection) -> dict[tuple[State, ...] | None, list[str]]:
    """Return the enabled endpoints, grouped by the states that they receive."""
    subscriptions: dict[tuple[State, ...] | None, list[str]] = defaultdict(list)
    query = select(endpoints.c.id, endpoints.c.states).where(endpoints.c.enabled)
    for endpoint, states in connection.execute(query):
        subscriptions[states_from(states)].append(endpoint)
    return subscriptions


def _events_between(first: int, last: int, states: Sequence[State] | None) -> Select[Any]:
    query = select(events.c.position, events.c.transaction_id, events.c.version)
    query = query.where(events.c.position.between(first, last))
    return query if states is None else query.where(events.c.state.in_(states))


def _insert(connection: Connection, ids: Sequence[str], chosen: Select[Any]) -> None:
    """Insert deliveries without a due time; `_release` sets it for those that need not wait."""
    own = (endpoints.c.id, literal("pending"), literal(0), literal(time.time()))
    names = ["position", "transaction_id", "version", "endpoint_id", "state", "attempts"]
    rows = chosen.add_columns(*own).join_from(events, endpoints, endpoints.c.id.in_(ids))
    connection.execute(insert(outbox).from_select([*names, "created_at"], rows))


def _release(connection: Connection, ids: Sequence[str], first: int, last: int) -> None:
    """Make the new deliveries due that wait for no earlier event."""
    new = and_(outbox.c.endpoint_id.in_(ids), outbox.c.position.between(first, last))
    waits = and_(new, outbox.c.state == _PENDING, outbox.c.due_at.is_(None))
    connection.execute(update(outbox).where(waits, ~_has_predecessor()).values(due_at=time.time()))


def _restart(connection: Connection, endpoint: str, positions: Sequence[int]) -> int:
    """Reset deliveries to pending; of each transaction, the first becomes due, the others wait."""
    chosen = and_(outbox.c.endpoint_id == endpoint, outbox.c.position.in_(positions))
    values = {"state": "pending", "attempts": 0, "due_at": None, "settled_at": None}
    count = connection.execute(update(outbox).where(chosen).values(values)).rowcount
    theirs = connection.execute(select(outbox.c.transaction_id).where(chosen).distinct())
    affected = and_(_pending(endpoint), outbox.c.transaction_id.in_(theirs.scalars().all()))
    connection.execute(update(outbox).where(affected).values(due_at=None))
    heads = select(func.min(outbox.c.position)).where(affected).group_by(outbox.c.transaction_id)
    _make_due(connection, endpoint, connection.execute(heads).scalars().all())
    return count


def _make_due(connection: Connection, endpoint: str, positions: Sequence[int]) -> None:
    """Make waiting deliveries due now; scheduled ones keep their due time."""
    mine = and_(outbox.c.endpoint_id == endpoint, outbox.c.position.in_(positions))
    waits = and_(mine, outbox.c.due_at.is_(None))
    connection.execute(update(outbox).where(waits).values(due_at=time.time()))


def _has_predecessor() -> ColumnElement[bool]:
    before = outbox.alias("before")
    return exists().where(
        before.c.endpoint_id == outbox.c.endpoint_id,
        before.c.transaction_id == outbox.c.transaction_id,
        before.c.position < outbox.c.position,
        before.c.state == _PENDING,
    )


def _settle(connection: Connection, delivery: Delivery, values: dict[str, Any]) -> None:
    now = time.time()
    values |= {"attempts": delivery.attempts + 1, "settled_at": now, "due_at": None}
    connection.execute(_update_pending(delivery).values(values))
    following = _first_pending(connection, delivery)
    if following is not None:
        _make_due(connection, delivery.endpoint, [following])


def _first_pending(connection: Connection, delivery: Delivery) -> int | None:
    # No condition on the due time: with one, SQLite would scan all waiting deliveries.
    mine = and_(_pending(delivery.endpoint), outbox.c.transaction_id == delivery.transaction)
    position: int | None = connection.execute(
        select(func.min(outbox.c.position)).where(mine)
    ).scalar()
    return position


def _update_pending(delivery: Delivery) -> Update:
    # Only while pending: the endpoint can be removed, or a late response can arrive twice.
    mine = _pending(delivery.endpoint)
    return update(outbox).where(mine, outbox.c.position == delivery.position)


def _pending(endpoint: str) -> ColumnElement[bool]:
    return and_(outbox.c.endpoint_id == endpoint, outbox.c.state == _PENDING)


def _dead(endpoint: str) -> ColumnElement[bool]:
    return and_(outbox.c.endpoint_id == endpoint, outbox.c.state == _DEAD)


def _deliveries() -> Select[Any]:
    own = outbox.c
    columns = (
        own.endpoint_id,
        own.attempts,
        own.state.label("delivery_state"),
        own.status,
        own.error,
        own.settled_at,
    )
    return select_entries().add_columns(*columns).join(outbox, own.position == events.c.position)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        endpoint=row.endpoint_id,
        entry=entry(row),
        attempts=row.attempts,
        state=row.delivery_state,
        status=row.status,
        error=row.error,
        settled_at=row.settled_at,
    )


def _short(error: str) -> str:
    return error[: attempts.MAX_ERROR_CHARACTERS]
