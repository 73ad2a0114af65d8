"""The last delivery attempts: plain functions on a connection.

They explain what happens at an endpoint, and are bounded: of each delivery the last ten are kept,
and of each endpoint the last hundred that succeeded and the last hundred that failed. There can be
some more, because the oldest are only deleted from time to time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from transaction_tracker.store.rows import clean
from transaction_tracker.store.schema.outbox import attempts, endpoints, outbox

MAX_PER_DELIVERY = 10
# Every so many attempts of a delivery, its oldest ones are deleted.
_KEEP_INTERVAL = 4
# Of successful and of failed attempts each.
MAX_PER_ENDPOINT = 100
MAX_ERROR_CHARACTERS = 300
DELIVERED = "delivered"

_COLUMNS = tuple(name for name in attempts.c.keys() if name != "id")  # noqa: SIM118
# Compiled once, because each delivery executes it.
_ADD = insert(attempts).from_select(
    _COLUMNS,
    select(*(bindparam(name, type_=attempts.c[name].type) for name in _COLUMNS)).where(
        select(endpoints.c.id).where(endpoints.c.id == bindparam("endpoint_id")).exists()
    ),
)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One stored delivery attempt.

    Attributes:
        endpoint: The endpoint's id.
        position: The event's position among all events.
        number: 1 for the first attempt of the delivery; a redelivery counts from 1 again.
        ended_at: Unix seconds.
        seconds: Duration of the attempt.
        outcome: ``delivered``, or the kind of failure.
        status: The HTTP status of the response; ``None`` without a response.
        error: Why it failed, in one line; ``None`` if it succeeded.
        answer: The first part of the response body, without secrets.
        event: The event's id, ``transaction:version``; set by reading.
        id: The number among all attempts, from 1 up; set by reading.
    """

    endpoint: str
    position: int
    number: int
    ended_at: float
    seconds: float
    outcome: str
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    event: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class LastAttempts:
    """The newest attempts at one endpoint.

    Attributes:
        last: The last attempt; ``None`` if there is none.
        last_failed: The last failed attempt, if it is kept.
    """

    last: AttemptRecord | None = None
    last_failed: AttemptRecord | None = None


def add(connection: Connection, made: AttemptRecord, *, trim: bool) -> None:
    """Store an attempt; no effect if its endpoint was removed meanwhile.

    Args:
        connection: Inside a database transaction.
        made: The attempt.
        trim: Whether to delete the endpoint's oldest attempts over the limit. A worker passes it
            only from time to time, because it costs more than the attempt itself.
    """
    error = None if made.error is None else clean(made.error[:MAX_ERROR_CHARACTERS])
    values = {
        "endpoint_id": made.endpoint,
        "position": made.position,
        "number": made.number,
        "ended_at": made.ended_at,
        "seconds": made.seconds,
        "outcome": made.outcome,
        "status": made.status,
        "error": error,
        "answer": clean(made.answer),
    }
    connection.execute(_ADD, values)
    mine = attempts.c.endpoint_id == made.endpoint
    if trim or made.number % _KEEP_INTERVAL == 0:
        _keep(connection, and_(mine, attempts.c.position == made.position), MAX_PER_DELIVERY)
    if trim:
        for kind in (attempts.c.outcome == DELIVERED, attempts.c.outcome != DELIVERED):
            _keep(connection, and_(mine, kind), MAX_PER_ENDPOINT)


def page(
    connection: Connection,
    endpoint: str,
    *,
    before: int | None,
    limit: int,
    position: int | None = None,
) -> list[AttemptRecord]:
    """Read the attempts at an endpoint, the newest first.

    Args:
        connection: The database.
        endpoint: The endpoint's id.
        before: Only attempts before the one with this ``id``. ``None``: from the newest.
        limit: Maximum number of attempts.
        position: Only of the event with this position. ``None``: of all events.
    """
    query = _records().where(attempts.c.endpoint_id == endpoint)
    if before is not None:
        query = query.where(attempts.c.id < before)
    if position is not None:
        query = query.where(attempts.c.position == position)
    rows = connection.execute(query.order_by(attempts.c.id.desc()).limit(limit))
    return [_record(row) for row in rows]


def newest(connection: Connection, endpoint: str | None = None) -> dict[str, LastAttempts]:
    """Read the last attempt, and the last failed one, of one endpoint or of each."""
    lasts = _newest(connection, endpoint, attempts.c.id > 0)
    failed = _newest(connection, endpoint, attempts.c.outcome != DELIVERED)
    return {key: LastAttempts(last, failed.get(key)) for key, last in lasts.items()}


def forget(connection: Connection, keys: Sequence[tuple[str, int]]) -> None:
    """Delete the attempts of deliveries, given by endpoint and position."""
    each = and_(
        attempts.c.endpoint_id == bindparam("endpoint"), attempts.c.position == bindparam("place")
    )
    if keys:
        parameters = [{"endpoint": endpoint, "place": position} for endpoint, position in keys]
        connection.execute(delete(attempts).where(each), parameters)


def _keep(connection: Connection, which: ColumnElement[bool], limit: int) -> None:
    """Delete all but the newest attempts of a kind."""
    old = select(attempts.c.id).where(which).order_by(attempts.c.id.desc()).limit(1).offset(limit)
    # With fewer attempts, the subquery is NULL, and a comparison with NULL deletes nothing.
    connection.execute(delete(attempts).where(which, attempts.c.id <= old.scalar_subquery()))


def _newest(
    connection: Connection, endpoint: str | None, which: ColumnElement[bool]
) -> dict[str, AttemptRecord]:
    ids = select(func.max(attempts.c.id)).where(which).group_by(attempts.c.endpoint_id)
    if endpoint is not None:
        ids = ids.where(attempts.c.endpoint_id == endpoint)
    rows = connection.execute(_records().where(attempts.c.id.in_(ids)))
    return {row.endpoint_id: _record(row) for row in rows}


def _records() -> Any:
    theirs = and_(
        outbox.c.endpoint_id == attempts.c.endpoint_id, outbox.c.position == attempts.c.position
    )
    return select(attempts, outbox.c.transaction_id, outbox.c.version).join(outbox, theirs)


def _record(row: Row[Any]) -> AttemptRecord:
    return AttemptRecord(
        endpoint=row.endpoint_id,
        position=row.position,
        number=row.number,
        ended_at=row.ended_at,
        seconds=row.seconds,
        outcome=row.outcome,
        status=row.status,
        error=row.error,
        answer=row.answer,
        event=f"{row.transaction_id}:{row.version}",
        id=row.id,
    )
