"""Remove transactions and deliveries that ended long ago, on request only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, delete, literal_column, select, union_all

from transaction_tracker.domain import State
from transaction_tracker.store import outbox as deliveries
from transaction_tracker.store.schema import ENDED, events, transactions
from transaction_tracker.store.schema.outbox import attempts, endpoints, outbox

# Removing as many takes some hundredths of a second, which delays blocks.
LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed.

    Attributes:
        transactions: Number of transactions, each removed with all its events.
        deliveries: Number of successful deliveries.
        by_source: By source, the change of the number of transactions in each state, as negative
            numbers.
    """

    transactions: int
    deliveries: int
    by_source: Mapping[str, Mapping[State, int]] = field(default_factory=dict, compare=False)


def prune(connection: Connection, before: float, limit: int = LIMIT) -> Pruned:
    """Remove transactions that became final before a time, and deliveries that succeeded before it.

    A transaction with a pending delivery or a dead letter is kept. A reader of the feed that has
    not read an event by then misses it.

    Args:
        connection: Inside a database transaction.
        before: Unix seconds.
        limit: Maximum number of each, up to 1,000, because blocks wait meanwhile.
    """
    if not 1 <= limit <= LIMIT:
        raise ValueError(f"limit must be 1 to {LIMIT}, got {limit!r}")
    arrived = deliveries.prune(connection, before, limit)
    old = connection.execute(_ended(before, limit)).all()
    ids = [row.id for row in old]
    theirs = events.c.transaction_id.in_(ids)
    positions = select(events.c.position).where(theirs)
    # By both columns of the key: there can be many deliveries, but there are few endpoints.
    for endpoint in connection.execute(select(endpoints.c.id)).scalars().all():
        for table in (attempts, outbox):
            gone = table.c.endpoint_id == endpoint, table.c.position.in_(positions)
            connection.execute(delete(table).where(*gone))
    connection.execute(delete(events).where(theirs))
    connection.execute(delete(transactions).where(transactions.c.id.in_(ids)))
    fewer: dict[str, dict[State, int]] = {}
    for (source, state), count in Counter((row.source, row.state) for row in old).items():
        fewer.setdefault(source, {})[state] = -count
    return Pruned(len(ids), arrived, fewer)


def _ended(before: float, limit: int) -> Select[tuple[str, str, str]]:
    # Literals as in the partial indexes.
    untold = [
        select(outbox.c.transaction_id).where(outbox.c.state == literal_column(f"'{state}'"))
        for state in ("pending", "dead")
    ]
    old = transactions.c.ended_at < before, transactions.c.id.not_in(union_all(*untold))
    query = select(transactions.c.id, transactions.c.source, transactions.c.state).where(
        ENDED, *old
    )
    return query.order_by(transactions.c.ended_at).limit(limit)
