"""Pages of stored transactions: plain functions on a connection."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from transaction_tracker.domain import State, Tracked
from transaction_tracker.store.rows import READ_COLUMNS, read_tracked
from transaction_tracker.store.schema import cursors, events, transactions

MAX_PAGE_SIZE = 1_000

_TRACKED = tuple(transactions.c[name] for name in READ_COLUMNS)
_KEPT = tuple(
    transactions.c[name]
    for name in ("created_at", "updated_at", "metadata", "details", "expectation")
)


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A stored transaction, with the columns that the tracker does not hold.

    Attributes:
        tracked: The transaction.
        created_at: Unix seconds of its registration.
        updated_at: Unix seconds of the last change.
        metadata: The metadata of its registration: a JSON object.
        details: Its details, as JSON; ``None`` while none are known.
        expectation: What is expected and whether it is met, as JSON; ``None`` without one.
    """

    tracked: Tracked
    created_at: float
    updated_at: float
    metadata: str
    details: str | None = None
    expectation: str | None = None


def transactions_page(
    connection: Connection,
    *,
    after: str | None,
    limit: int,
    states: Collection[State] = (),
    source: str | None = None,
) -> list[TransactionRecord]:
    """Return a page of transactions in the order of their ids.

    Args:
        connection: The database.
        after: The last id of the previous page; ``None`` for the first page.
        limit: Maximum number of transactions, up to 1,000.
        states: Only transactions in one of these states. Default: all.
        source: Only transactions of the source with this name in the database. Default: all.
    """
    query = select(*_TRACKED, *_KEPT).order_by(transactions.c.id).limit(min(limit, MAX_PAGE_SIZE))
    if after is not None:
        query = query.where(transactions.c.id > after)
    if states:
        query = query.where(transactions.c.state.in_(sorted(states)))
    if source is not None:
        query = query.where(transactions.c.source == source)
    return _kept(connection.execute(query).all())


def transaction_page(connection: Connection, transaction: str) -> TransactionRecord | None:
    """Return one transaction, or ``None``."""
    query = select(*_TRACKED, *_KEPT).where(transactions.c.id == transaction)
    found = _kept(connection.execute(query).all())
    return found[0] if found else None


def last_position(connection: Connection) -> int:
    """Return the position of the last event; 0 before the first."""
    return connection.scalar(select(func.max(events.c.position))) or 0


def touch(connection: Connection) -> None:
    """Write without changing a value; raises if the database is not writable."""
    connection.execute(cursors.update().values(number=cursors.c.number))


def _kept(rows: Sequence[Row[Any]]) -> list[TransactionRecord]:
    tracked = read_tracked(rows)
    return [
        TransactionRecord(transaction, *row[-len(_KEPT) :])
        for transaction, row in zip(tracked, rows, strict=True)
    ]
