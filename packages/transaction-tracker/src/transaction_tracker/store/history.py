"""What happened, page by page: plain functions on a connection, for whoever shows it."""

from sqlalchemy import Connection

from transaction_tracker.store.feed import Entry, entry, select_entries
from transaction_tracker.store.schema.events import events


def events_page(
    connection: Connection, *, after: int, limit: int, transaction: str | None = None
) -> list[Entry]:
    """Read events in the order in which they were written.

    Args:
        connection: The database.
        after: The position of the last one that is known; 0 begins.
        limit: How many.
        transaction: Only of this one; ``None`` is of all.
    """
    query = select_entries().where(events.c.position > after)
    if transaction is not None:
        query = query.where(events.c.transaction_id == transaction)
    rows = connection.execute(query.order_by(events.c.position).limit(limit))
    return [entry(row) for row in rows]


def last_events(connection: Connection, *, transaction: str, limit: int) -> list[Entry]:
    """Read the last events of one transaction, the oldest of them first."""
    query = select_entries().where(events.c.transaction_id == transaction)
    newest = connection.execute(query.order_by(events.c.version.desc()).limit(limit)).all()
    return [entry(row) for row in reversed(newest)]
