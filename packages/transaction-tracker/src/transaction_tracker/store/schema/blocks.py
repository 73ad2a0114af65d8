"""The tables of how far each source is read: kept blocks, cursors and positions in feeds."""

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Table, Text

from transaction_tracker.store.schema.base import metadata

blocks: Table = Table(
    "blocks",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(100), nullable=False),
    Column("parent", String(100), nullable=False),
)

# Separate from the blocks, because slots are large and only stored for the last few blocks.
block_slots: Table = Table(
    "block_slots",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", Integer, nullable=False),
    # A JSON object of slots and the transactions that took them, compressed.
    Column("packed", LargeBinary, nullable=False),
)

cursors: Table = Table(
    "cursors",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger),
    Column("hash", String(100)),
    # The block that identifies the chain: block 0, or an early one if block 0 is pruned.
    Column("anchor_number", BigInteger),
    Column("anchor_hash", String(100)),
    # Unix seconds since when deliveries are paused.
    Column("frozen_since", Float),
    # Unix seconds since when an operator has paused the source.
    Column("paused_since", Float),
    # Counts the additions of watched addresses; see ``addresses.deposits``.
    Column("addresses_version", Integer, nullable=False, server_default="0"),
)

# The positions in the feeds of other services.
bookmarks: Table = Table(
    "bookmarks",
    metadata,
    Column("source", String(100), primary_key=True),
    # The position, as the service writes it.
    Column("place", Text, nullable=False),
)
