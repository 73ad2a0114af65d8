"""The table of transactions: what is known of each now."""

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

transactions = Table(
    "transactions",
    metadata,
    Column("id", String(200), primary_key=True),
    # A number of confirmations, or the chain's own word.
    Column("required", String(12), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("slot", String(200)),
    Column("content", String(64)),
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
    # Words with commas between them, in the order of the alphabet.
    Column("flags", String(100), nullable=False, server_default=""),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # Since when its state is an end.
    Column("ended_at", Float),
    one_of("state", STATES),
    one_of("reason", REASONS),
)

# SQLite uses a partial index only for a query that has the same words: no parameters in them.
# It also works through the words at each change of a column that they name, so they name one
# that changes only when the tracking of a transaction ends, or begins again.
OPEN = text("ended_at IS NULL")
ENDED = text("ended_at IS NOT NULL")

# The open ones are read at each start, and are few beside all that ever were. The time keeps
# the index small, and what comes new at its end.
Index(
    "open_transactions",
    transactions.c.created_at,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)

# A block that goes although it was final: whom did it decide?
Index(
    "decided_transactions",
    transactions.c.block_hash,
    sqlite_where=ENDED,
    postgresql_where=ENDED,
)

# The oldest of them are removed some day.
Index(
    "ended_transactions",
    transactions.c.ended_at,
    sqlite_where=ENDED,
    postgresql_where=ENDED,
)
