"""Stored transactions as the API shows them: plain functions on a connection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from transaction_tracker.domain import Tracked
from transaction_tracker.store import token_units
from transaction_tracker.store.addresses.counts import shown
from transaction_tracker.store.details import Units, filled, open_tokens
from transaction_tracker.store.rows import READ_COLUMNS, read_tracked
from transaction_tracker.store.schema import cursors, events, transactions

MAX_PAGE_SIZE = 1_000

_TRACKED = tuple(transactions.c[name] for name in READ_COLUMNS)
_KEPT = tuple(
    transactions.c[name]
    for name in ("created_at", "updated_at", "metadata", "details", "expectation", "deposits")
)
RECORD_COLUMNS = (*_TRACKED, *_KEPT)
"""The columns of a `TransactionRecord`, which `read_records` reads."""


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
        deposits: What it pays to watched addresses, as JSON; ``None`` if it has never paid one.
    """

    tracked: Tracked
    created_at: float
    updated_at: float
    metadata: str
    details: str | None = None
    expectation: str | None = None
    deposits: str | None = None


def transaction_page(connection: Connection, transaction: str) -> TransactionRecord | None:
    """Return one transaction, or ``None``."""
    query = select(*RECORD_COLUMNS).where(transactions.c.id == transaction)
    found = read_records(connection, connection.execute(query).all())
    return found[0] if found else None


def last_position(connection: Connection) -> int:
    """Return the position of the last event; 0 before the first."""
    return connection.scalar(select(func.max(events.c.position))) or 0


def touch(connection: Connection) -> None:
    """Write without changing a value; raises if the database is not writable."""
    connection.execute(cursors.update().values(number=cursors.c.number))


def read_records(connection: Connection, rows: Sequence[Row[Any]]) -> list[TransactionRecord]:
    """Return the transactions in rows that start with ``RECORD_COLUMNS``.

    Their details have the decimals of tokens that are known by now, also if they became known
    after the last event.
    """
    kept = slice(len(_TRACKED), len(RECORD_COLUMNS))
    found = [
        _record(transaction, *row[kept])
        for transaction, row in zip(read_tracked(rows), rows, strict=True)
    ]
    tokens = {
        (record.tracked.source, token) for record in found for token in open_tokens(record.details)
    }
    units = token_units.known(connection, tokens)
    return [_with_units(record, units) for record in found] if units else found


def _record(transaction: Tracked, *kept: Any) -> TransactionRecord:
    record = TransactionRecord(transaction, *kept)
    return replace(record, deposits=shown(record.deposits))


def _with_units(record: TransactionRecord, units: Units) -> TransactionRecord:
    return replace(record, details=filled(record.details, record.tracked.source, units))
