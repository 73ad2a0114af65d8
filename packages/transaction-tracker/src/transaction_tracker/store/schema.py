"""The tables. Whatever database holds them, they look the same."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from transaction_tracker.domain import REASONS, STATES, TERMINAL

metadata = MetaData()


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({_quoted(values)})", name=f"{column}_is_known")


def _quoted(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


# What an amount is written as: a fee can be larger than any integer of a database.
Amount = String(160)

transactions = Table(
    "transactions",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("required", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("slot", String(200)),
    Column("content", String(64)),
    Column("block_number", Integer),
    Column("block_hash", String(100)),
    Column("succeeded", Boolean),
    Column("fee", Amount),
    Column("failure", Text),
    Column("superseded_by", String(200)),
    Column("reason", String(20)),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    _one_of("state", STATES),
    _one_of("reason", REASONS),
)

# The open ones are read at each start, and are few beside all that ever were.
_OPEN = text(f"state not in ({_quoted(tuple(sorted(TERMINAL)))})")
Index(
    "open_transactions",
    transactions.c.id,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

blocks = Table(
    "blocks",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hash", String(100), nullable=False),
    Column("parent", String(100), nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("number", Integer),
    Column("hash", String(100)),
)

events = Table(
    "events",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("transaction_id", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("previous", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("block_number", Integer),
    Column("block_hash", String(100)),
    Column("superseded_by", String(200)),
    Column("reason", String(20)),
    Column("recorded_at", Float, nullable=False),
    # An event is one version of one transaction: a block that is applied again after a
    # crash cannot tell it twice.
    UniqueConstraint("transaction_id", "version"),
    sqlite_autoincrement=True,
)
