"""Load transactions and their events."""

from collections.abc import Collection, Iterator, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from transaction_tracker.domain import State, Tracked, caip_id
from transaction_tracker.store import bulk
from transaction_tracker.store.rows import READ_COLUMNS, read_tracked
from transaction_tracker.store.schema import ENDED, OPEN, events, transactions

# Number of rows that are in memory twice, as rows and as values, while a million are loaded.
_READ_AT_ONCE = 5_000

_TRACKED = select(*(transactions.c[name] for name in READ_COLUMNS))


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
    """Return those of the transactions that are stored, in any order.

    Args:
        connection: The database.
        ids: Ids as they were registered.
    """
    return list(read_tracked(bulk.select(connection, transactions, READ_COLUMNS, "id", ids)))


def load_local(connection: Connection, source: str, ids: Collection[str]) -> list[Tracked]:
    """Return those of a source's transactions that are stored, in any order.

    Args:
        connection: The database.
        source: Name of the source; empty for the only one.
        ids: Ids at the source.
    """
    keys = [key for transaction in ids for key in keys_of(source, transaction)]
    found = load_some(connection, keys)
    # A row of an old version belongs to the only source, which has not claimed it yet.
    return [
        tracked if tracked.source else replace(tracked, source=source)
        for tracked in found
        if not source or tracked.source in (source, "")
    ]


def keys_of(source: str, transaction: str) -> tuple[str, ...]:
    """Return the ids with which a transaction can have been registered.

    Args:
        source: Name of the source; empty for the only one.
        transaction: Id at the source.
    """
    return (transaction, caip_id(source, transaction)) if source else (transaction,)


def count_ended(connection: Connection) -> dict[str, dict[State, int]]:
    """Return the number of final transactions by source and state; reads all of them."""
    columns = transactions.c.source, transactions.c.state
    query = select(*columns, func.count()).where(ENDED).group_by(*columns)
    counts: dict[str, dict[State, int]] = {}
    for source, state, count in connection.execute(query):
        counts.setdefault(source, {})[state] = count
    return counts


def load_anchored(
    connection: Connection, block_hash: str, source: str | None = None
) -> list[Tracked]:
    """Return the transactions that a block made final.

    Args:
        connection: The database.
        block_hash: The block.
        source: Only transactions of this source: development chains can have equal blocks.
    """
    query = _TRACKED.where(ENDED, transactions.c.block_hash == block_hash)
    if source is not None:
        query = query.where(transactions.c.source.in_((source, "")))
    return list(read_tracked(connection.execute(query)))


def load_events(connection: Connection, transaction: str) -> list[tuple[int, str]]:
    """Return the versions and states of all events of a transaction."""
    query = select(events.c.version, events.c.state).where(events.c.transaction_id == transaction)
    return [(row.version, row.state) for row in connection.execute(query.order_by("version"))]
