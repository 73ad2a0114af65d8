"""The table of events: all transitions, in the order in which they were written.

An event is the same in each retry, redelivery, feed and stream, even after its transaction was
registered again with other metadata. So a row holds all fields of the event and never changes;
nothing is read from the table of transactions.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from transaction_tracker.store.schema.base import Amount, metadata

events: Table = Table(
    "events",
    metadata,
    # From 1 up without a gap, in the order of writing; never reused.
    Column(
        "position",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("transaction_id", String(200), nullable=False),
    Column("source", String(100), nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Column("previous", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("block_number", BigInteger),
    Column("block_hash", String(100)),
    Column("succeeded", Boolean),
    Column("fee", Amount),
    # "total" or "execution": whether the fee is the whole fee. NULL in rows of old versions.
    Column("fee_scope", String(12)),
    # Compared with the providers' receipts: the units of gas used, a digest of the token transfers.
    Column("gas_used", BigInteger),
    Column("effects", String(32)),
    Column("failure", Text),
    Column("superseded_by", String(200)),
    Column("reason", String(20)),
    Column("flags", String(100), nullable=False, server_default=""),
    # The registration when the event was written.
    Column("required", String(12), nullable=False),
    # A JSON list of texts; NULL while the source has reported none.
    Column("slots", Text),
    Column("content", String(64)),
    # Of a transaction that is tracked by its slot: the id of the one that took the slot.
    Column("hash", String(200)),
    Column("deadline", Float),
    # JSON: who paid whom how much; whether that is what the user expects. NULL while unknown.
    Column("details", Text),
    Column("expectation", Text),
    # JSON: what it pays to which watched addresses; NULL if it has never paid one.
    Column("deposits", Text),
    Column("metadata", Text, nullable=False),
    Column("recorded_at", Float, nullable=False),
    # An event is one version of one transaction: a block that is applied again after a crash
    # cannot write it twice.
    UniqueConstraint("transaction_id", "version"),
)

# The last used position. Stored, because positions of pruned events must not be reused, and
# because this works alike in each database.
counters: Table = Table(
    "counters",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
