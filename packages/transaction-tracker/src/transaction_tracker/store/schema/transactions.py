"""The tables of transactions: the current state of each, and what else is kept about them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from transaction_tracker.domain import REASONS, STATES
from transaction_tracker.store.schema.base import Amount, metadata, one_of

transactions: Table = Table(
    "transactions",
    metadata,
    # As it was registered. With the chain id of its source, if another source has the same id.
    Column("id", String(200), primary_key=True),
    # Empty until the source of a database of an old version is known.
    Column("source", String(100), nullable=False, server_default=""),
    # A number of confirmations, or a tag of the chain.
    Column("required", String(12), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    # A JSON list of texts; NULL while the source has reported none.
    Column("slots", Text),
    Column("content", String(64)),
    # Of a transaction that is tracked by its slot: the id of the one that took the slot.
    Column("hash", String(200)),
    Column("block_number", BigInteger),
    Column("block_hash", String(100)),
    Column("succeeded", Boolean),
    Column("fee", Amount),
    # "total" or "execution": whether the fee is the whole fee. NULL in rows of old versions.
    Column("fee_scope", String(12)),
    Column("failure", Text),
    Column("superseded_by", String(200)),
    Column("reason", String(20)),
    Column("error", Text),
    Column("deadline", Float),
    Column("waiting_since", Float),
    Column("missing_height", BigInteger),
    Column("missing_time", Float),
    Column("max_fee", Amount),
    # Compared with the providers' receipts: the units of gas used, a digest of the token transfers.
    Column("gas_used", BigInteger),
    Column("effects", String(32)),
    # Words separated by commas, in alphabetical order.
    Column("flags", String(100), nullable=False, server_default=""),
    # Counts the changes of the registration by the user; see ``recording``.
    Column("revision", Integer, nullable=False, server_default="0"),
    # Who chose what is required: NULL is the user, also in rows of old versions; "setting"; or a
    # rule as JSON.
    Column("required_by", Text),
    # JSON: who paid whom how much; whether that is what the user expects. NULL while unknown.
    Column("details", Text),
    Column("expectation", Text),
    # JSON: what it pays to which watched addresses; NULL if it has never paid one.
    Column("deposits", Text),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # When its state became final; NULL while it is open.
    Column("ended_at", Float),
    one_of("state", STATES),
    one_of("reason", REASONS),
)

# SQLite uses a partial index only for a query with the same condition as text, without parameters.
# It also evaluates the condition at each change of a column in it, so the condition uses a column
# that changes only when a transaction becomes final or open again.
OPEN = text("ended_at IS NULL")
ENDED = text("ended_at IS NOT NULL")

# Open transactions are loaded at each start, and are few compared with all. The creation time
# keeps the index small, and new rows at its end.
Index(
    "open_transactions",
    transactions.c.created_at,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)

# Finds the transactions of a final block that is undone.
Index(
    "decided_transactions",
    transactions.c.block_hash,
    sqlite_where=ENDED,
    postgresql_where=ENDED,
)

# Finds the oldest final transactions, to remove them.
Index(
    "ended_transactions",
    transactions.c.ended_at,
    sqlite_where=ENDED,
    postgresql_where=ENDED,
)

# The raw signed transactions that can be sent again, until they have ended.
broadcasts: Table = Table(
    "broadcasts",
    metadata,
    Column("transaction_id", String(200), primary_key=True),
    # Whoever has it can send it: never shown, never logged.
    Column("raw", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
)

# The providers' objections to ends of open transactions.
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

# The tokens that transactions have transferred, with their units.
token_units: Table = Table(
    "token_units",
    metadata,
    # Name of the source, as in the transactions.
    Column("source", String(100), primary_key=True),
    Column("contract", String(100), primary_key=True),
    # NULL until the contract has been asked, and if it says none that is valid.
    Column("decimals", Integer),
    Column("symbol", String(100)),
    Column("attempts", Integer, nullable=False),
    # Unix seconds of the next attempt.
    Column("next_at", Float, nullable=False),
)
