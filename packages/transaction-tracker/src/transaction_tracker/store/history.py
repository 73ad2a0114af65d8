"""Pages of stored events: plain functions on a connection."""

from sqlalchemy import Connection

from transaction_tracker.store.feed import EventRecord, entry, select_entries
from transaction_tracker.store.schema.events import events


def events_page(
    connection: Connection, *, after: int, limit: int, transaction: str | None = None
) -> list[EventRecord]:
    """Return a page of events in the order of writing.

    Args:
        connection: The database.
        after: Position of the last event of the previous page; 0 for the first page.
        limit: Maximum number of events.
        transaction: Only events of this transaction. Default: of all transactions.
    """
    query = select_entries().where(events.c.position > after)
    if transaction is not None:
        query = query.where(events.c.transaction_id == transaction)
    rows = connection.execute(query.order_by(events.c.position).limit(limit))
    return [entry(row) for row in rows]


def last_events(connection: Connection, *, transaction: str, limit: int) -> list[EventRecord]:
    """Return the last events of one transaction, the oldest of them first."""
    query = select_entries().where(events.c.transaction_id == transaction)
    newest = connection.execute(query.order_by(events.c.version.desc()).limit(limit)).all()
    return [entry(row) for row in reversed(newest)]
