"""What each endpoint must still hear of: plain functions on a connection.

An event waits while an earlier one of its transaction is pending at the same endpoint: then it
has no time at which it is due. Whoever settles the earlier one gives it a time.
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
from transaction_tracker.store import attempts
from transaction_tracker.store.deliveries import Backlog, Batch, Delivery
from transaction_tracker.store.endpoints import Endpoint, disable, endpoint_from, states_from
from transaction_tracker.store.feed import entry, select_entries
from transaction_tracker.store.rescheduling import is_late, reschedule
from transaction_tracker.store.schema.blocks import cursors
from transaction_tracker.store.schema.events import events
from transaction_tracker.store.schema.outbox import endpoints, outbox

# In the words of the partial indexes: SQLite does not see that a parameter has the same value.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_DEAD: ColumnElement[str] = literal_column("'dead'")
_DELIVERED: ColumnElement[str] = literal_column("'delivered'")


def enqueue(connection: Connection, written: Sequence[tuple[int, Event]]) -> None:
    """Let all endpoints that want to know hear of new events.

    For the store, in the database transaction that writes them.

    Args:
        connection: The database.
        written: Events with their positions, which follow one another.
    """
    wishes = _wishes(connection) if written else {}
    if not wishes:
        return
    first, last = written[0][0], written[-1][0]
    for states, ids in wishes.items():
        _insert(connection, ids, _wanted(first, last, states))
    _release(connection, [each for ids in wishes.values() for each in ids], first, last)


def due(
    connection: Connection,
    endpoint: str,
    limit: int,
    busy: Collection[int] = (),
    *,
    clock_changed: bool = True,
) -> Batch:
    """Read what an endpoint must be told now, and when there will be more.

    Args:
        connection: The database.
        endpoint: Its id.
        limit: Deliveries at most.
        busy: Positions that are under way.
        clock_changed: Whether the clock may have been ahead before: then every due time is
            judged again. A due time that no delay explains is judged again in any case.
    """
    mine, now = _pending(endpoint), time.time()
    # One statement: hundreds of workers ask in the same moment.
    frozen = select(func.min(cursors.c.frozen_since)).scalar_subquery().label("frozen")
    newest = select(func.max(outbox.c.due_at)).where(mine).scalar_subquery().label("latest")
    query = select(endpoints, frozen, newest).where(endpoints.c.id == endpoint)
    row = connection.execute(query).first()
    found = None if row is None else endpoint_from(row)
    if row is None or found is None or not found.enabled:
        return Batch(found)
    if row.frozen is not None:
        return Batch(found, frozen=True)
    latest = row.latest
    if is_late(found.previous_until, latest, now, clock_changed=clock_changed):
        reschedule(connection, endpoint, now)
    rows = connection.execute(
        _deliveries()
        .where(mine, outbox.c.due_at <= now)
        .order_by(outbox.c.due_at, outbox.c.position)
        .limit(limit + len(busy))
    )
    deliveries = [_delivery(row) for row in rows if row.position not in busy]
    next_due = None
    if latest is not None and latest > now:
        later = select(func.min(outbox.c.due_at)).where(mine, outbox.c.due_at > now)
        next_due = connection.execute(later).scalar()
    return Batch(found, tuple(deliveries[:limit]), next_due)


def delivered(connection: Connection, delivery: Delivery, status: int | None) -> None:
    """Note that an endpoint has taken an event, and let the transaction's next one go."""
    _settle(connection, delivery, {"state": "delivered", "status": status, "error": None})


def dead(connection: Connection, delivery: Delivery, status: int | None, error: str) -> None:
    """Give a delivery up, and let the transaction's next one go."""
    _settle(connection, delivery, {"state": "dead", "status": status, "error": _short(error)})


def failed(
    connection: Connection, delivery: Delivery, due_at: float, status: int | None, error: str
) -> None:
    """Note why an attempt failed, and when (Unix seconds) the next is due."""
    # An earlier event of the transaction can have been redelivered meanwhile: then this one waits.
    values = {
        "due_at": case((_has_predecessor(), None), else_=literal(due_at, Float)),
        "tried_at": time.time(),
        "attempts": delivery.attempts + 1,
        "status": status,
        "error": _short(error),
    }
    connection.execute(_the(delivery).values(values))


def refused(connection: Connection, delivery: Delivery, status: int | None, error: str) -> None:
    """Disable an endpoint that wants to hear no more; what was to be told stays pending."""
    failed(connection, delivery, time.time(), status, error)
    disable(connection, delivery.endpoint, f"it wants to hear no more: {error}")


def dead_letters(connection: Connection, endpoint: str, after: int, limit: int) -> list[Delivery]:
    """Read what was given up at an endpoint, from the event after a position on."""
    query = _deliveries().where(_dead(endpoint), outbox.c.position > after)
    rows = connection.execute(query.order_by(outbox.c.position).limit(limit))
    return [_delivery(row) for row in rows]


def again(connection: Connection, endpoint: str, position: int) -> int:
    """Deliver one event again, whatever became of it; give 0 if the endpoint never was to hear."""
    return _anew(connection, endpoint, [position])


def again_dead(connection: Connection, endpoint: str, limit: int) -> int:
    """Deliver again what was given up, the oldest first; say how many there were, up to a limit."""
    query = select(outbox.c.position).where(_dead(endpoint))
    oldest = connection.execute(query.order_by(outbox.c.position).limit(limit)).scalars()
    return _anew(connection, endpoint, oldest.all())


def again_since(
    connection: Connection, endpoint: Endpoint, after: int, limit: int
) -> tuple[int, int | None]:
    """Deliver again the events after a position, also those of which the endpoint was not told.

    Args:
        connection: The database.
        endpoint: Who is to hear them.
        after: The position before the first of them.
        limit: Positions at most.

    Returns:
        How many there were, and the position to go on after; ``None`` when there are no more.
    """
    first, last = after + 1, after + limit
    told = outbox.alias("told")
    known = exists().where(told.c.endpoint_id == endpoint.id, told.c.position == events.c.position)
    _insert(connection, [endpoint.id], _wanted(first, last, endpoint.states).where(~known))
    here = and_(outbox.c.endpoint_id == endpoint.id, outbox.c.position.between(first, last))
    positions = connection.execute(select(outbox.c.position).where(here)).scalars().all()
    count = _anew(connection, endpoint.id, positions)
    more = select(events.c.position).where(events.c.position > last).limit(1)
    return count, None if connection.execute(more).first() is None else last


def backlog(connection: Connection) -> Backlog:
    """Count what waits at all endpoints."""
    query = select(func.count(), func.min(outbox.c.created_at)).where(outbox.c.state == _PENDING)
    count, oldest = connection.execute(query).one()
    return Backlog(count, oldest)


def counts(connection: Connection, endpoint: str) -> tuple[int, int]:
    """Count what is pending at an endpoint, and what is dead."""
    pending = select(func.count()).select_from(outbox).where(_pending(endpoint))
    given_up = select(func.count()).select_from(outbox).where(_dead(endpoint))
    return connection.execute(pending).scalar_one(), connection.execute(given_up).scalar_one()


def prune(connection: Connection, before: float, limit: int) -> int:
    """Forget what was delivered before a time (Unix seconds); say how many, up to a limit."""
    old = and_(outbox.c.state == _DELIVERED, outbox.c.settled_at < before)
    keys = select(outbox.c.endpoint_id, outbox.c.position).where(old).limit(limit)
    rows = connection.execute(keys).tuples().all()
    each = and_(
        outbox.c.endpoint_id == bindparam("endpoint"), outbox.c.position == bindparam("place")
    )
    if rows:
        gone = [{"endpoint": endpoint, "place": position} for endpoint, position in rows]
        connection.execute(delete(outbox).where(each), gone)
        attempts.forget(connection, [(endpoint, position) for endpoint, position in rows])
    return len(rows)


def clear(connection: Connection, endpoint: str, limit: int) -> int:
    """Forget deliveries of an endpoint, whatever became of them; say how many, up to a limit."""
    mine = outbox.c.endpoint_id == endpoint
    some = select(outbox.c.position).where(mine).limit(limit).scalar_subquery()
    return connection.execute(delete(outbox).where(mine, outbox.c.position.in_(some))).rowcount


def _wishes(connection: Connection) -> dict[tuple[State, ...] | None, list[str]]:
    """Give the states that enabled endpoints want to hear of, and which want those."""
    wishes: dict[tuple[State, ...] | None, list[str]] = defaultdict(list)
    query = select(endpoints.c.id, endpoints.c.states).where(endpoints.c.enabled)
    for endpoint, states in connection.execute(query):
        wishes[states_from(states)].append(endpoint)
    return wishes


def _wanted(first: int, last: int, states: Sequence[State] | None) -> Select[Any]:
    query = select(events.c.position, events.c.transaction_id, events.c.version)
    query = query.where(events.c.position.between(first, last))
    return query if states is None else query.where(events.c.state.in_(states))


def _insert(connection: Connection, ids: Sequence[str], wanted: Select[Any]) -> None:
    """Let endpoints hear of events; they are not due before they have found their order."""
    own = (endpoints.c.id, literal("pending"), literal(0), literal(time.time()))
    names = ["position", "transaction_id", "version", "endpoint_id", "state", "attempts"]
    rows = wanted.add_columns(*own).join_from(events, endpoints, endpoints.c.id.in_(ids))
    connection.execute(insert(outbox).from_select([*names, "created_at"], rows))


def _release(connection: Connection, ids: Sequence[str], first: int, last: int) -> None:
    """Make due what is new and waits for nothing."""
    new = and_(outbox.c.endpoint_id.in_(ids), outbox.c.position.between(first, last))
    waits = and_(new, outbox.c.state == _PENDING, outbox.c.due_at.is_(None))
    connection.execute(update(outbox).where(waits, ~_has_predecessor()).values(due_at=time.time()))


def _anew(connection: Connection, endpoint: str, positions: Sequence[int]) -> int:
    """Begin deliveries anew; of each transaction, what is first becomes due, and the rest waits."""
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
    """Let deliveries go that have waited; one that has its time keeps it."""
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
    connection.execute(_the(delivery).values(values))
    following = _first_pending(connection, delivery)
    if following is not None:
        _make_due(connection, delivery.endpoint, [following])


def _first_pending(connection: Connection, delivery: Delivery) -> int | None:
    # Without a word of when it is due: SQLite would look through all that wait.
    mine = and_(_pending(delivery.endpoint), outbox.c.transaction_id == delivery.transaction)
    position: int | None = connection.execute(
        select(func.min(outbox.c.position)).where(mine)
    ).scalar()
    return position


def _the(delivery: Delivery) -> Update:
    # Only while it is pending: the endpoint may be gone, or a late answer may come twice.
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
