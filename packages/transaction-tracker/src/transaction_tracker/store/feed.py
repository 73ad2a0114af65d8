"""The stored events, in the order of writing, and the positions of their consumers."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from transaction_tracker.domain import BlockRef, Event, Tracked
from transaction_tracker.store.chain import frozen_since
from transaction_tracker.store.pages import last_position
from transaction_tracker.store.rows import (
    REASON_VALUES,
    STATE_VALUES,
    flags,
    local_and_given,
    outcome,
    required,
    slots,
)
from transaction_tracker.store.schema.events import events
from transaction_tracker.store.schema.outbox import consumers


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A stored event.

    Attributes:
        position: Its position among all events, from 1 up.
        event: The transition.
        recorded_at: Unix seconds.
        metadata: The metadata of the transaction when the event was stored: a JSON object.
        details: The details that were known then, as JSON; ``None`` if there were none.
        expectation: The expectation and whether it was met then, as JSON; ``None`` without one.
        deposits: What it paid to watched addresses then, as JSON; ``None`` if it had never paid
            one.
    """

    position: int
    event: Event
    recorded_at: float
    metadata: str
    details: str | None = None
    expectation: str | None = None
    deposits: str | None = None


def select_entries() -> Select[Any]:
    """Return the query whose rows ``entry`` converts; the caller adds conditions."""
    return select(events)


def entry(row: Row[Any]) -> EventRecord:
    """Convert a row to an event."""
    transaction, given = local_and_given(row.source, row.transaction_id)
    tracked = Tracked(
        id=transaction,
        required=required(row.required),
        state=STATE_VALUES[row.state],
        version=row.version,
        slots=slots(row.slots),
        content=row.content,
        anchor=None if row.block_hash is None else BlockRef(row.block_number, row.block_hash),
        outcome=outcome(
            row.succeeded, row.fee, row.failure, row.fee_scope, row.gas_used, row.effects
        ),
        superseded_by=row.superseded_by,
        reason=REASON_VALUES[row.reason],
        deadline=row.deadline,
        flags=flags(row.flags),
        hash=row.hash,
        source=row.source,
        given=given,
    )
    event = Event(STATE_VALUES[row.previous], tracked)
    return EventRecord(
        row.position,
        event,
        row.recorded_at,
        row.metadata,
        row.details,
        row.expectation,
        row.deposits,
    )


def events_page(
    connection: Connection, *, after: int, limit: int, transaction: str | None = None
) -> list[EventRecord]:
    """Return a page of events in the order of writing.

    Args:
        connection: The database.
        after: Position of the last event of the previous page; 0 for the first page.
        limit: Maximum number of events.
        transaction: Only events of this transaction. Default: of all transactions.
    """
    query = select_entries().where(events.c.position > after)
    if transaction is not None:
        query = query.where(events.c.transaction_id == transaction)
    rows = connection.execute(query.order_by(events.c.position).limit(limit))
    return [entry(row) for row in rows]


def last_events(connection: Connection, *, transaction: str, limit: int) -> list[EventRecord]:
    """Return the last events of one transaction, the oldest of them first."""
    query = select_entries().where(events.c.transaction_id == transaction)
    newest = connection.execute(query.order_by(events.c.version.desc()).limit(limit)).all()
    return [entry(row) for row in reversed(newest)]


def entries(connection: Connection, after: int, limit: int) -> list[EventRecord]:
    """Return the events after a position, the oldest first; none while deliveries are paused."""
    if frozen_since(connection) is not None:
        return []
    query = select_entries().where(events.c.position > after)
    rows = connection.execute(query.order_by(events.c.position).limit(limit))
    return [entry(row) for row in rows]


def begin(connection: Connection, consumer: str, *, from_start: bool) -> int:
    """Return the position that a consumer has handled; a new one starts after the last event.

    Args:
        connection: The database.
        consumer: Name of the consumer.
        from_start: Whether a new consumer starts before the first event instead.
    """
    query = select(consumers.c.position).where(consumers.c.name == consumer)
    known: int | None = connection.execute(query).scalar()
    if known is not None:
        return known
    position = 0 if from_start else last_position(connection)
    connection.execute(insert(consumers), {"name": consumer, "position": position})
    return position


def advance(connection: Connection, consumer: str, position: int) -> None:
    """Store the position that a consumer has handled."""
    mine = consumers.c.name == consumer
    connection.execute(update(consumers).where(mine).values(position=position))
