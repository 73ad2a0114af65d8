"""Events as they are told to others: what was recorded, read back in the order of writing."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from transaction_tracker.domain import (
    REASONS,
    STATES,
    BlockRef,
    Event,
    Reason,
    State,
    Tracked,
)
from transaction_tracker.store.chain import frozen_since
from transaction_tracker.store.pages import last_position
from transaction_tracker.store.rows import flags, outcome, required
from transaction_tracker.store.schema.events import events
from transaction_tracker.store.schema.outbox import consumers

# Few different ones in many rows: one object each.
_STATES: dict[str, State] = {state: state for state in STATES}
_REASONS: dict[str | None, Reason | None] = {None: None} | {one: one for one in REASONS}


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it was recorded.

    Attributes:
        position: Its place among all events, from 1 up.
        event: The transition.
        recorded_at: Unix seconds.
        metadata: The user's notes about the transaction when the event was written: a JSON
            object.
    """

    position: int
    event: Event
    recorded_at: float
    metadata: str


def select_entries() -> Select[Any]:
    """Select what ``entry`` reads; the caller says of which events."""
    return select(events)


def entry(row: Row[Any]) -> Entry:
    """Read an event."""
    tracked = Tracked(
        id=row.transaction_id,
        required=required(row.required),
        state=_STATES[row.state],
        version=row.version,
        slot=row.slot,
        content=row.content,
        anchor=None if row.block_hash is None else BlockRef(row.block_number, row.block_hash),
        outcome=outcome(row.succeeded, row.fee, row.failure, row.fee_scope),
        superseded_by=row.superseded_by,
        reason=_REASONS[row.reason],
        deadline=row.deadline,
        flags=flags(row.flags),
    )
    event = Event(_STATES[row.previous], tracked)
    return Entry(row.position, event, row.recorded_at, row.metadata)


def entries(connection: Connection, after: int, limit: int) -> list[Entry]:
    """Read the events after a position, the oldest first; none while nothing is to be told."""
    if frozen_since(connection) is not None:
        return []
    query = select_entries().where(events.c.position > after)
    rows = connection.execute(query.order_by(events.c.position).limit(limit))
    return [entry(row) for row in rows]


def begin(connection: Connection, consumer: str, *, from_start: bool) -> int:
    """Give the position up to which a consumer has read; a new one begins at the end.

    Args:
        connection: The database.
        consumer: Its name.
        from_start: A new one begins before the first event instead.
    """
    query = select(consumers.c.position).where(consumers.c.name == consumer)
    known: int | None = connection.execute(query).scalar()
    if known is not None:
        return known
    position = 0 if from_start else last_position(connection)
    connection.execute(insert(consumers), {"name": consumer, "position": position})
    return position


def advance(connection: Connection, consumer: str, position: int) -> None:
    """Note up to which position a consumer has read."""
    mine = consumers.c.name == consumer
    connection.execute(update(consumers).where(mine).values(position=position))
