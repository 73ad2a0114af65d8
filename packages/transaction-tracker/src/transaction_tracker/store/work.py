"""What the store does inside one database transaction: plain functions on a connection."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from transaction_tracker.domain import TERMINAL, BlockRef, Event, Link, Tracked
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.rows import (
    event_row,
    link_from,
    link_row,
    tracked_from,
    tracked_row,
)
from transaction_tracker.store.schema import blocks, cursors, events, transactions

_CHUNK = 500  # names in one query

# Compare and set: a row that somebody else has moved on stays as it is.
_MOVE = (
    update(transactions)
    .where(transactions.c.id == bindparam("key"), transactions.c.version == bindparam("before"))
    .values({name: bindparam(name) for name in tracked_row(Tracked("", 0)) if name != "id"})
    .values(updated_at=bindparam("updated_at"))
)


@dataclass(frozen=True, slots=True)
class Step:
    """What belongs together: one block and all that it changes, or changes without a block.

    Attributes:
        source: Whose blocks these are.
        events: Transitions, each of the version after the one that is stored.
        undone: The block that is taken back.
        applied: The block that becomes the tip.
        keep: How many blocks are kept below the applied one, itself counted.
        forgets: Whether all kept blocks are forgotten, because none of them is canonical.
    """

    source: str
    events: tuple[Event, ...] = ()
    undone: Link | None = None
    applied: Link | None = None
    keep: int = 0
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written.

    Attributes:
        rows: Transactions as they are stored now, changed or found changed by somebody else.
        events: The transitions that were written.
        tip: The highest block now; ``None`` when no block was touched.
    """

    rows: tuple[Tracked, ...] = ()
    events: tuple[Event, ...] = ()
    tip: BlockRef | None = None


def claim(connection: Connection, source: str) -> Stored:
    """Let the database belong to ``source``, or raise ``StoreError`` when it is another's."""
    cursor = connection.execute(select(cursors)).first()
    if cursor is None:
        connection.execute(insert(cursors), {"source": source})
        return Stored()
    if cursor.source != source:
        raise StoreError(f"the database is for {cursor.source}, and cannot hold {source} as well")
    return Stored(tip=None if cursor.hash is None else BlockRef(cursor.number, cursor.hash))


def load_open(connection: Connection) -> Stored:
    """Read all transactions that have not ended."""
    query = select(transactions).where(transactions.c.state.not_in(sorted(TERMINAL)))
    return Stored(tuple(tracked_from(row) for row in connection.execute(query)))


def load(connection: Connection, transaction: str) -> Tracked | None:
    """Read one transaction."""
    row = connection.execute(select(transactions).where(transactions.c.id == transaction)).first()
    return None if row is None else tracked_from(row)


def load_events(connection: Connection, transaction: str) -> list[tuple[int, str]]:
    """Read what became of one transaction: versions and states."""
    query = select(events.c.version, events.c.state).where(events.c.transaction_id == transaction)
    return [(row.version, row.state) for row in connection.execute(query.order_by("version"))]


def load_links(connection: Connection, source: str) -> list[Link]:
    """Read the kept blocks, from the lowest up."""
    query = select(blocks).where(blocks.c.source == source).order_by(blocks.c.number)
    return [link_from(row) for row in connection.execute(query)]


def register(connection: Connection, ids: Sequence[str], required: int) -> Stored:
    """Store transactions that are new, and give all as they are stored.

    One that was parked is free again.
    """
    stored = {tracked.id: tracked for tracked in _select(connection, ids)}
    new = [Tracked(key, required) for key in dict.fromkeys(ids) if key not in stored]
    if new:
        times = {"created_at": time.time(), "updated_at": time.time()}
        connection.execute(insert(transactions), [tracked_row(one) | times for one in new])
    parked = [tracked.id for tracked in stored.values() if tracked.error is not None]
    _set_error(connection, parked, None)
    if parked:
        stored |= {tracked.id: tracked for tracked in _select(connection, parked)}
    return Stored((*stored.values(), *new))


def park(connection: Connection, transaction: str, error: str) -> Stored:
    """Note why a transaction's tracker was given up."""
    _set_error(connection, [transaction], error)
    return Stored(tuple(_select(connection, [transaction])))


def commit(connection: Connection, step: Step) -> Stored:
    """Write one step."""
    stale = _move(connection, step.events)
    written = tuple(event for event in step.events if event.tracked.id not in stale)
    if written:
        now = {"recorded_at": time.time()}
        connection.execute(insert(events), [event_row(event) | now for event in written])
    _move_chain(connection, step)
    rows = {event.tracked.id: event.tracked for event in written}
    found = tuple(_select(connection, sorted(stale)))
    return Stored((*rows.values(), *found), written, _tip(step))


def _move(connection: Connection, steps: Sequence[Event]) -> set[str]:
    """Write transitions, and name the transactions that were not where they were thought to be."""
    if not steps:
        return set()
    parameters = [_parameters(event) for event in steps]
    with connection.begin_nested() as savepoint:
        if connection.execute(_MOVE, parameters).rowcount == len(steps):
            return set()
        savepoint.rollback()
    # Somebody else was here. It does not happen twice in a year, and may take its time.
    stale: set[str] = set()
    for event, one in zip(steps, parameters, strict=True):
        if event.tracked.id in stale or not connection.execute(_MOVE, one).rowcount:
            stale.add(event.tracked.id)
    return stale


def _parameters(event: Event) -> dict[str, Any]:
    row = tracked_row(event.tracked)
    return row | {
        "key": row.pop("id"),
        "before": event.tracked.version - 1,
        "updated_at": time.time(),
    }


def _move_chain(connection: Connection, step: Step) -> None:
    ours = blocks.c.source == step.source
    if step.forgets:
        connection.execute(delete(blocks).where(ours))
        _set_cursor(connection, step.source, None)
    if step.undone is not None:
        gone = blocks.c.number == step.undone.number
        connection.execute(delete(blocks).where(ours, gone))
        _set_cursor(connection, step.source, step.undone.parent_ref)
    if step.applied is not None:
        connection.execute(insert(blocks), link_row(step.source, step.applied))
        old = blocks.c.number <= step.applied.number - step.keep
        connection.execute(delete(blocks).where(ours, old))
        _set_cursor(connection, step.source, step.applied.ref)


def _tip(step: Step) -> BlockRef | None:
    if step.applied is not None:
        return step.applied.ref
    return None if step.undone is None else step.undone.parent_ref


def _set_cursor(connection: Connection, source: str, block: BlockRef | None) -> None:
    place = {"number": block and block.number, "hash": block and block.hash}
    connection.execute(update(cursors).where(cursors.c.source == source).values(place))


def _set_error(connection: Connection, ids: Sequence[str], error: str | None) -> None:
    for chunk in _chunks(ids):
        chosen = transactions.c.id.in_(chunk)
        connection.execute(update(transactions).where(chosen).values(error=error))


def _select(connection: Connection, ids: Sequence[str]) -> Iterator[Tracked]:
    for chunk in _chunks(ids):
        query: Select[Any] = select(transactions).where(transactions.c.id.in_(chunk))
        yield from (tracked_from(row) for row in connection.execute(query))


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
