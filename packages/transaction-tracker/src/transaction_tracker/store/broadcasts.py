"""Raw signed transactions that can be sent again: which are due, and how often they were sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, bindparam, or_, select, update

from transaction_tracker.domain import Registration
from transaction_tracker.store import bulk
from transaction_tracker.store.schema import broadcasts, transactions

_COLUMNS = ("transaction_id", "raw", "attempts", "next_at")
MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A transaction that is due.

    Attributes:
        transaction: Its id, as it was registered.
        raw: The signed transaction in hexadecimal; never log it.
        attempts: How often it was sent.
    """

    transaction: str
    raw: str = field(repr=False)
    attempts: int = 0


def keep(connection: Connection, registrations: Sequence[tuple[str, Registration]]) -> None:
    """Store the raw transactions of registrations that have one to be sent again.

    Args:
        connection: Inside a database transaction.
        registrations: Each with the id as it was registered.
    """
    rows = [
        (key, registration.raw, 0, 0.0)
        for key, registration in registrations
        if registration.raw is not None
    ]
    forget(connection, [row[0] for row in rows])
    bulk.insert(connection, broadcasts, _COLUMNS, rows)


def forget(connection: Connection, ids: Sequence[str]) -> None:
    """Delete the raw transactions of transactions that have ended."""
    if ids:
        bulk.delete(connection, broadcasts, "transaction_id", ids)


def due(
    connection: Connection, *, source: str, now: float, missing_since: float, limit: int
) -> list[Broadcast]:
    """Return the transactions of a source that must be sent now, the longest due first.

    Args:
        connection: The database.
        source: Name of the source.
        now: Unix seconds.
        missing_since: Unix seconds. A transaction that is missing since a later time is not due.
        limit: Maximum number.
    """
    values = {"source": source, "now": now, "missing_since": missing_since, "limit": limit}
    return [Broadcast(*row) for row in connection.execute(_DUE, values)]


def _due() -> Select[tuple[str, str, int]]:
    columns = transactions.c
    long_missing = (columns.state == "missing") & (
        columns.missing_time <= bindparam("missing_since")
    )
    # A used nonce cannot be used again, and an expired transaction must not be in a block any more.
    return (
        select(broadcasts.c.transaction_id, broadcasts.c.raw, broadcasts.c.attempts)
        .join(transactions, columns.id == broadcasts.c.transaction_id)
        .where(
            columns.source == bindparam("source"),
            broadcasts.c.next_at <= bindparam("now"),
            broadcasts.c.attempts < MAX_ATTEMPTS,
            or_(long_missing, (columns.state == "dropped") & columns.reason.is_(None)),
            or_(columns.deadline.is_(None), columns.deadline > bindparam("now")),
        )
        .order_by(broadcasts.c.next_at)
        .limit(bindparam("limit"))
    )


# Asked every few seconds: building it takes several times longer than the database needs.
_DUE = _due()


def attempted(connection: Connection, transaction: str, next_at: float) -> None:
    """Count an attempt to send a transaction; ``next_at`` is in Unix seconds."""
    row = update(broadcasts).where(broadcasts.c.transaction_id == transaction)
    connection.execute(row.values(attempts=broadcasts.c.attempts + 1, next_at=next_at))
