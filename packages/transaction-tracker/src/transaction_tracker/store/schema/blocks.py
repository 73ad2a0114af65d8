"""The tables of blocks: those that are kept, and how far each source was followed."""

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Table

from transaction_tracker.store.schema.base import metadata

blocks = Table(
    "blocks",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(100), nullable=False),
    Column("parent", String(100), nullable=False),
)

# Beside the blocks, and not in them: it is large, and only the last few blocks have it.
block_slots = Table(
    "block_slots",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", Integer, nullable=False),
    # A JSON object of slots and who took them, compressed.
    Column("packed", LargeBinary, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", BigInteger),
    Column("hash", String(100)),
    # The block by which the chain is known: block 0, or an early one where that is pruned.
    Column("anchor_number", BigInteger),
    Column("anchor_hash", String(100)),
    # Unix seconds since when nothing is told of this source's events.
    Column("frozen_since", Float),
)
