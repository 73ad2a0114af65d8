"""Load transactions and their events."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from transaction_tracker.domain import State, Tracked
from transaction_tracker.store import bulk
from transaction_tracker.store.rows import TRACKED_COLUMNS, read_tracked
from transaction_tracker.store.schema import ENDED, OPEN, events, transactions

# Number of rows that are in memory twice, as rows and as values, while a million are loaded.
_READ_AT_ONCE = 5_000

_TRACKED = select(*(transactions.c[name] for name in TRACKED_COLUMNS))


def load_open(connection: Connection) -> Iterator[list[Tracked]]:
    """Yield all open transactions, some thousands at a time."""
    streaming = {"yield_per": _READ_AT_ONCE}
    with connection.execute(_TRACKED.where(OPEN), execution_options=streaming) as rows:
        for some in rows.partitions():
            yield list(read_tracked(some))


def load(connection: Connection, transaction: str) -> Tracked | None:
    """Return one transaction, also a finished one, or ``None``."""
    rows = connection.execute(_TRACKED.where(transactions.c.id == transaction))
    return next(read_tracked(rows), None)


def load_some(connection: Connection, ids: Sequence[str]) -> list[Tracked]:
    """Return those of the transactions that are stored, in any order."""
    return list(read_tracked(bulk.select(connection, transactions, TRACKED_COLUMNS, "id", ids)))


def count_ended(connection: Connection) -> dict[State, int]:
    """Return the number of final transactions by state; reads all of them."""
    query = select(transactions.c.state, func.count()).where(ENDED).group_by(transactions.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def load_anchored(connection: Connection, block_hash: str) -> list[Tracked]:
    """Return the transactions that a block made final."""
    query = _TRACKED.where(ENDED, transactions.c.block_hash == block_hash)
    return list(read_tracked(connection.execute(query)))


def load_events(connection: Connection, transaction: str) -> list[tuple[int, str]]:
    """Return the versions and states of all events of a transaction."""
    query = select(events.c.version, events.c.state).where(events.c.transaction_id == transaction)
    return [(row.version, row.state) for row in connection.execute(query.order_by("version"))]
