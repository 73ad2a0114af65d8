"""Reading transactions and what became of them."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from transaction_tracker.domain import State, Tracked
from transaction_tracker.store import bulk
from transaction_tracker.store.rows import TRACKED_COLUMNS, read_tracked
from transaction_tracker.store.schema import ENDED, OPEN, events, transactions

# Rows that are in memory twice, as they came and as values, while a million are read.
_READ_AT_ONCE = 5_000

_TRACKED = select(*(transactions.c[name] for name in TRACKED_COLUMNS))


def load_open(connection: Connection) -> Iterator[list[Tracked]]:
    """Read all transactions that have not ended, some thousands at a time."""
    streaming = {"yield_per": _READ_AT_ONCE}
    with connection.execute(_TRACKED.where(OPEN), execution_options=streaming) as rows:
        for some in rows.partitions():
            yield list(read_tracked(some))


def load(connection: Connection, transaction: str) -> Tracked | None:
    """Read one transaction, whether it has ended or not."""
    rows = connection.execute(_TRACKED.where(transactions.c.id == transaction))
    return next(read_tracked(rows), None)


def load_some(connection: Connection, ids: Sequence[str]) -> list[Tracked]:
    """Read those transactions that are there, in any order."""
    return list(read_tracked(bulk.select(connection, transactions, TRACKED_COLUMNS, "id", ids)))


def count_ended(connection: Connection) -> dict[State, int]:
    """Count the transactions that have ended, by state; it reads all of these."""
    query = select(transactions.c.state, func.count()).where(ENDED).group_by(transactions.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def load_anchored(connection: Connection, block_hash: str) -> list[Tracked]:
    """Read the transactions that a block has decided for good."""
    query = _TRACKED.where(ENDED, transactions.c.block_hash == block_hash)
    return list(read_tracked(connection.execute(query)))


def load_events(connection: Connection, transaction: str) -> list[tuple[int, str]]:
    """Read what became of one transaction: versions and states."""
    query = select(events.c.version, events.c.state).where(events.c.transaction_id == transaction)
    return [(row.version, row.state) for row in connection.execute(query.order_by("version"))]
