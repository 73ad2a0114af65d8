"""The table of the positions in the feeds of other services."""

from sqlalchemy import Column, String, Table, Text

from transaction_tracker.store.schema.base import metadata

bookmarks: Table = Table(
    "bookmarks",
    metadata,
    Column("source", String(100), primary_key=True),
    # The position, as the service writes it.
    Column("place", Text, nullable=False),
)
