"""The table of the providers' objections to ends of open transactions."""

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text

from transaction_tracker.store.schema.base import metadata

objections: Table = Table(
    "objections",
    metadata,
    Column("transaction_id", String(200), primary_key=True),
    # The host and the port: its place in the list and its key can change.
    Column("provider", String(300), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("passes", Boolean, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", String(100), nullable=False),
    Column("succeeded", Boolean),
    Column("winner", String(200)),
    Column("confirmed_number", BigInteger),
    Column("confirmed_hash", String(100)),
)
