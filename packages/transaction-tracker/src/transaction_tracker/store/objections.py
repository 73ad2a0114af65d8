"""The providers' objections to ends: a restart must not withdraw them."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Row, and_, delete, or_, select

from transaction_tracker.domain import BlockRef, StandingObjection, local_id
from transaction_tracker.store import bulk
from transaction_tracker.store.reading import load_local
from transaction_tracker.store.rows import clean
from transaction_tracker.store.schema import OPEN, objections, transactions

_COLUMNS = (
    "transaction_id",
    "provider",
    "reason",
    "passes",
    "block_number",
    "block_hash",
    "succeeded",
    "winner",
    "confirmed_number",
    "confirmed_hash",
)
# Far below the number of parameters that a database takes in one statement.
_AT_ONCE = 200


def load(connection: Connection, source: str | None = None) -> tuple[StandingObjection, ...]:
    """Return all objections to ends of open transactions.

    Args:
        connection: The database.
        source: Only of transactions of this source. Default: of all.
    """
    theirs = objections.c.transaction_id == transactions.c.id
    query = select(objections, transactions.c.source).join(transactions, theirs).where(OPEN)
    if source is not None:
        query = query.where(transactions.c.source.in_((source, "")))
    return tuple(map(_objection, connection.execute(query)))


def replace(
    connection: Connection,
    withdrawn: Collection[StandingObjection],
    begun: Collection[StandingObjection],
    source: str = "",
) -> None:
    """Delete objections, and store others.

    Args:
        connection: Inside a database transaction.
        withdrawn: The objections to delete.
        begun: The objections to store.
        source: Name of the source of their transactions; empty if it is the only one.
    """
    ids = {one.transaction for one in (*withdrawn, *begun)}
    known = {tracked.id: tracked.key for tracked in load_local(connection, source, ids)}
    keys = list(
        {
            (known.get(one.transaction, one.transaction), one.provider)
            for one in (*withdrawn, *begun)
        }
    )
    for at in range(0, len(keys), _AT_ONCE):
        chosen = (
            and_(objections.c.transaction_id == transaction, objections.c.provider == provider)
            for transaction, provider in keys[at : at + _AT_ONCE]
        )
        connection.execute(delete(objections).where(or_(*chosen)))
    bulk.insert(connection, objections, _COLUMNS, [_values(one, known) for one in begun])


def forget(connection: Connection, ended: Sequence[str]) -> None:
    """Delete the objections to ends of transactions that have ended."""
    for at in range(0, len(ended), _AT_ONCE):
        theirs = objections.c.transaction_id.in_(ended[at : at + _AT_ONCE])
        connection.execute(delete(objections).where(theirs))


def _objection(row: Row[tuple[object, ...]]) -> StandingObjection:
    return StandingObjection(
        local_id(row.source, row.transaction_id),
        row.provider,
        row.reason,
        row.passes,
        BlockRef(row.block_number, row.block_hash),
        row.succeeded,
        row.winner,
        None if row.confirmed_hash is None else BlockRef(row.confirmed_number, row.confirmed_hash),
    )


def _values(objection: StandingObjection, keys: Mapping[str, str]) -> tuple[object, ...]:
    last = objection.confirmed_by
    return (
        keys.get(objection.transaction, objection.transaction),
        objection.provider,
        clean(objection.reason),
        objection.passes,
        objection.block.number,
        objection.block.hash,
        objection.succeeded,
        objection.winner,
        last and last.number,
        last and last.hash,
    )
