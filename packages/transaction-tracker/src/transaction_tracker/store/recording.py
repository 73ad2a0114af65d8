"""Write transitions: each updates its transaction, and becomes an event that never changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, update

from transaction_tracker.domain import TERMINAL, Event
from transaction_tracker.store import bulk, objections, outbox
from transaction_tracker.store.rows import (
    EVENT_COLUMNS,
    TRACKED_COLUMNS,
    event_values,
    tracked_values,
)
from transaction_tracker.store.schema import counters, events, transactions

_SET = (*TRACKED_COLUMNS[1:], "updated_at")
# Compare and set: a row with another version is not changed.
_WHERE = ("id", "version")

_COUNT_ON = (
    update(counters)
    .where(counters.c.name == "events")
    .values(value=counters.c.value + bindparam("more"))
    .returning(counters.c.value)
)


@dataclass(frozen=True, slots=True)
class _Move:
    """The transitions of one transaction in a step, from the first to the last."""

    first: Event
    last: Event

    @property
    def id(self) -> str:
        return self.last.tracked.id

    @property
    def ends_or_begins(self) -> bool:
        return (self.first.previous in TERMINAL) != self.last.tracked.final

    @property
    def values(self) -> tuple[object, ...]:
        return tracked_values(self.last.tracked)[1:]

    @property
    def where(self) -> tuple[str, int]:
        return self.id, self.first.tracked.version - 1


def record(connection: Connection, steps: Sequence[Event]) -> tuple[int, tuple[Event, ...]]:
    """Write the transitions of transactions that still have the expected version.

    Args:
        connection: Inside a database transaction.
        steps: The transitions; several of one transaction are consecutive.

    Returns:
        The position of the first written event, and the written events; the others belong to
        transactions that have another version.
    """
    stale = _move(connection, steps) if steps else set()
    written = tuple(event for event in steps if event.tracked.id not in stale)
    if not written:
        return 0, ()
    ended = [event.tracked.id for event in written if event.tracked.final]
    objections.forget(connection, ended)
    first = _count_on(connection, len(written))
    now, metadata = time.time(), _metadata(connection, written)
    rows = [
        (position, *event_values(event), metadata[event.tracked.id], now)
        for position, event in enumerate(written, start=first)
    ]
    bulk.insert(connection, events, ("position", *EVENT_COLUMNS, "metadata", "recorded_at"), rows)
    outbox.enqueue(connection, list(enumerate(written, start=first)))
    return first, written


def _move(connection: Connection, steps: Sequence[Event]) -> set[str]:
    """Update transactions; return the ids of those that have another version."""
    moves = _moves(steps)
    with connection.begin_nested() as savepoint:
        if _update(connection, moves) == len(moves):
            return set()
        savepoint.rollback()
    # Some transactions have another version: find out which, one by one. It is rare.
    return {move.id for move in moves if not _update(connection, [move])}


def _moves(steps: Sequence[Event]) -> list[_Move]:
    """Combine all transitions of each transaction into one update."""
    firsts: dict[str, Event] = {}
    lasts: dict[str, Event] = {}
    for event in steps:
        firsts.setdefault(event.tracked.id, event)
        lasts[event.tracked.id] = event
    return [_Move(firsts[key], last) for key, last in lasts.items()]


def _update(connection: Connection, moves: Sequence[_Move]) -> int:
    """Update the transactions with the expected version, and return their number."""
    now = time.time()
    staying = [(*move.values, now, *move.where) for move in moves if not move.ends_or_begins]
    others = [
        (*move.values, now, now if move.last.tracked.final else None, *move.where)
        for move in moves
        if move.ends_or_begins
    ]
    count = bulk.update(connection, transactions, _SET, _WHERE, staying)
    return count + bulk.update(connection, transactions, (*_SET, "ended_at"), _WHERE, others)


def _metadata(connection: Connection, written: Sequence[Event]) -> dict[str, str]:
    """Return the metadata of the transactions of events."""
    ids = list({event.tracked.id for event in written})
    return dict(bulk.select(connection, transactions, ("id", "metadata"), "id", ids))


def _count_on(connection: Connection, more: int) -> int:
    """Reserve the next positions, and return the first of them."""
    last = connection.execute(_COUNT_ON, {"more": more}).scalar()
    if last is None:
        connection.execute(insert(counters), {"name": "events", "value": more})
        last = more
    return last - more + 1
