# ruff: noqa: S608
"""More states and flags, outcomes in events, delivery, tokens, and PostgreSQL.

Tables of 0.1 are created again and filled with their old rows: SQLite cannot change a constraint,
and this way both databases are migrated alike.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("ended_at IS NULL")
_ENDED = sa.text("ended_at IS NOT NULL")
_PENDING = sa.text("state = 'pending'")
_DEAD = sa.text("state = 'dead'")
_DELIVERED = sa.text("state = 'delivered'")

_TRANSACTION = (
    "id, state, version, slot, content, block_number, block_hash, succeeded, fee, failure, "
    "superseded_by, reason, error, created_at, updated_at"
)
_EVENT = (
    "position, transaction_id, version, previous, state, block_number, block_hash, "
    "superseded_by, reason, recorded_at"
)


def upgrade() -> None:
    """Copy the tables of 0.1, and create the new ones."""
    _anew(
        "transactions",
        _transactions,
        _TRANSACTION,
        required="CAST(required AS VARCHAR(12))",
        ended_at="CASE WHEN state IN ('confirmed', 'failed', 'replaced') THEN updated_at END",
    )
    _anew("events", _events, _EVENT)
    _anew("blocks", _blocks, "source, number, hash, parent")
    _anew("cursors", _cursors, "source, number, hash")
    _counters()
    _block_slots()
    _endpoints()
    _outbox()
    _consumers()
    _tokens()
    _idempotency_keys()
    _bookmarks()
    # Event positions continue where they were.
    last = "SELECT 'events', COALESCE(MAX(position), 0) FROM events"
    op.execute(f"INSERT INTO counters (name, value) {last}")


def _one_of(column: str, words: str) -> sa.CheckConstraint:
    known = " or ".join(f"{column} = '{word}'" for word in words.split())
    return sa.CheckConstraint(known, name=f"{column}_is_known")


def _anew(name: str, create: Callable[[], None], columns: str, **changed: str) -> None:
    """Create a table again, with the old values of its kept and changed columns."""
    op.execute(f"CREATE TABLE old_{name} AS SELECT * FROM {name}")
    op.drop_table(name)
    create()
    names = ", ".join((columns, *changed))
    values = ", ".join((columns, *changed.values()))
    op.execute(f"INSERT INTO {name} ({names}) SELECT {values} FROM old_{name}")
    op.drop_table(f"old_{name}")


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("required", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("slot", sa.String(length=200), nullable=True),
        sa.Column("content", sa.String(length=64), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(length=100), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("fee", sa.String(length=160), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("waiting_since", sa.Float(), nullable=True),
        sa.Column("missing_height", sa.BigInteger(), nullable=True),
        sa.Column("missing_time", sa.Float(), nullable=True),
        sa.Column("max_fee", sa.String(length=160), nullable=True),
        sa.Column("flags", sa.String(length=100), server_default="", nullable=False),
        sa.Column("metadata", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        _one_of("reason", "repriced cancelled replaced"),
        _one_of(
            "state",
            "registered pending missing mined mined_reverted superseded confirmed "
            "failed replaced dropped expired invalid untracked reversed",
        ),
        sa.PrimaryKeyConstraint("id", name="transactions_pkey"),
    )
    op.create_index(
        "decided_transactions",
        "transactions",
        ["block_hash"],
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )
    op.create_index(
        "ended_transactions",
        "transactions",
        ["ended_at"],
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )
    op.create_index(
        "open_transactions",
        "transactions",
        ["created_at"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("transaction_id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(length=100), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("fee", sa.String(length=160), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("flags", sa.String(length=100), server_default="", nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="events_pkey"),
        sa.UniqueConstraint("transaction_id", "version", name="events_transaction_id_version_key"),
    )


def _blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=100), nullable=False),
        sa.Column("parent", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("source", "number", name="blocks_pkey"),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.String(length=100), nullable=True),
        sa.Column("frozen_since", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("source", name="cursors_pkey"),
    )


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="counters_pkey"),
    )


def _block_slots() -> None:
    op.create_table(
        "block_slots",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", "number", name="block_slots_pkey"),
    )


def _endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("states", sa.Text(), nullable=True),
        sa.Column("secret", sa.String(length=120), nullable=False),
        sa.Column("previous_secret", sa.String(length=120), nullable=True),
        sa.Column("previous_until", sa.Float(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="endpoints_pkey"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transaction_id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("settled_at", sa.Float(), nullable=True),
        _one_of("state", "pending delivered dead"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="outbox_endpoint_id_fkey"),
        sa.PrimaryKeyConstraint("endpoint_id", "position", name="outbox_pkey"),
    )
    op.create_index(
        "outbox_age", "outbox", ["created_at"], sqlite_where=_PENDING, postgresql_where=_PENDING
    )
    op.create_index(
        "outbox_dead",
        "outbox",
        ["endpoint_id", "position"],
        sqlite_where=_DEAD,
        postgresql_where=_DEAD,
    )
    op.create_index(
        "outbox_delivered",
        "outbox",
        ["settled_at"],
        sqlite_where=_DELIVERED,
        postgresql_where=_DELIVERED,
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["endpoint_id", "due_at", "position"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index(
        "outbox_in_order",
        "outbox",
        ["endpoint_id", "transaction_id", "position"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def _consumers() -> None:
    op.create_table(
        "consumers",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="consumers_pkey"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="tokens_pkey"),
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="idempotency_keys_pkey"),
    )
    op.create_index("idempotency_keys_created_at_index", "idempotency_keys", ["created_at"])


def _bookmarks() -> None:
    op.create_table(
        "bookmarks",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="bookmarks_pkey"),
    )
