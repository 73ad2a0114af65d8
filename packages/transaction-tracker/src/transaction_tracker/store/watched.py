"""Confirmed transactions that can be reversed, and the bookmarks of their feeds."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from transaction_tracker.domain import Tracked, local_id
from transaction_tracker.store.committing import commit
from transaction_tracker.store.reading import load_local
from transaction_tracker.store.schema import ENDED, bookmarks, transactions
from transaction_tracker.store.steps import Step, Stored


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A confirmed transaction.

    Attributes:
        id: The transaction id.
        at: Unix seconds since when it is confirmed.
    """

    id: str
    at: float


def confirmed_since(
    connection: Connection, since: float, source: str | None = None
) -> list[Confirmed]:
    """Return the transactions that were confirmed at or after a time, the oldest first.

    Args:
        connection: The database.
        since: Unix seconds.
        source: Only transactions of this source. Default: of all.
    """
    columns = transactions.c
    query = select(columns.id, columns.updated_at, columns.source).where(
        ENDED,
        columns.state == "confirmed",
        columns.updated_at >= since,
    )
    if source is not None:
        query = query.where(columns.source.in_((source, "")))
    rows = connection.execute(query.order_by(columns.updated_at))
    return [Confirmed(local_id(row.source, row.id), row.updated_at) for row in rows]


def load_ended(connection: Connection, ids: Collection[str], source: str = "") -> list[Tracked]:
    """Return those of a source's transactions that are final, in any order."""
    return [tracked for tracked in load_local(connection, source, sorted(ids)) if tracked.final]


def bookmark(connection: Connection, source: str) -> str | None:
    """Return where the next page of a source's feed begins; ``None`` before its first page."""
    query = select(bookmarks.c.place).where(bookmarks.c.source == source)
    place: str | None = connection.execute(query).scalar()
    return place


def commit_page(connection: Connection, step: Step, place: str | None) -> Stored:
    """Write the changes of a page of a feed, and its bookmark: both, or nothing.

    Args:
        connection: Inside a database transaction.
        step: The changes.
        place: Where the next page begins; ``None`` to restart at the first page.
    """
    mine = bookmarks.c.source == step.source
    if place is None:
        connection.execute(delete(bookmarks).where(mine))
    elif not connection.execute(update(bookmarks).where(mine).values(place=place)).rowcount:
        connection.execute(insert(bookmarks), {"source": step.source, "place": place})
    return commit(connection, step)
