"""The table of raw signed transactions that can be sent again, until they have ended."""

from sqlalchemy import Column, Float, Integer, String, Table, Text

from transaction_tracker.store.schema.base import metadata

broadcasts: Table = Table(
    "broadcasts",
    metadata,
    Column("transaction_id", String(200), primary_key=True),
    # Whoever has it can send it: never shown, never logged.
    Column("raw", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
)
