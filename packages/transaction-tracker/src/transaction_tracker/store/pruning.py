"""Removing what ended long ago. Nothing is removed unless somebody asks for it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, delete, literal_column, select, union_all

from transaction_tracker.domain import State
from transaction_tracker.store import outbox as deliveries
from transaction_tracker.store.schema import ENDED, events, transactions
from transaction_tracker.store.schema.outbox import attempts, endpoints, outbox

# So much is removed in some hundredths of a second, for which blocks wait.
LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was removed.

    Attributes:
        transactions: Transactions, each with all its events.
        deliveries: Deliveries that had arrived.
        by_state: How many transactions fewer there are in each state, as negative numbers.
    """

    transactions: int
    deliveries: int
    by_state: Mapping[State, int] = field(default_factory=dict, compare=False)


def prune(connection: Connection, before: float, limit: int = LIMIT) -> Pruned:
    """Remove transactions that ended before a time, and deliveries that arrived before it.

    A transaction of which an endpoint is still to be told, or was told in vain, stays. Whoever
    reads the feed and has not read an event by then misses it.

    Args:
        connection: Inside a database transaction.
        before: Unix seconds.
        limit: How many of each are removed at most, up to 1,000: blocks wait meanwhile.
    """
    if not 1 <= limit <= LIMIT:
        raise ValueError(f"limit must be 1 to {LIMIT}, got {limit!r}")
    arrived = deliveries.prune(connection, before, limit)
    states = {row.id: row.state for row in connection.execute(_ended(before, limit))}
    ids = list(states)
    theirs = events.c.transaction_id.in_(ids)
    positions = select(events.c.position).where(theirs)
    # By both columns of the key: there may be many deliveries, and there are few endpoints.
    for endpoint in connection.execute(select(endpoints.c.id)).scalars().all():
        for table in (attempts, outbox):
            gone = table.c.endpoint_id == endpoint, table.c.position.in_(positions)
            connection.execute(delete(table).where(*gone))
    connection.execute(delete(events).where(theirs))
    connection.execute(delete(transactions).where(transactions.c.id.in_(ids)))
    fewer = {state: -count for state, count in Counter(states.values()).items()}
    return Pruned(len(ids), arrived, fewer)


def _ended(before: float, limit: int) -> Select[tuple[str, str]]:
    # In the words of the partial indexes.
    untold = [
        select(outbox.c.transaction_id).where(outbox.c.state == literal_column(f"'{state}'"))
        for state in ("pending", "dead")
    ]
    old = transactions.c.ended_at < before, transactions.c.id.not_in(union_all(*untold))
    query = select(transactions.c.id, transactions.c.state).where(ENDED, *old)
    return query.order_by(transactions.c.ended_at).limit(limit)
