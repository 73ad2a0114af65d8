"""The table of how far the feeds of other services were read."""

from sqlalchemy import Column, String, Table, Text

from transaction_tracker.store.schema.base import metadata

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("source", String(100), primary_key=True),
    # The service's own words for the place.
    Column("place", Text, nullable=False),
)
