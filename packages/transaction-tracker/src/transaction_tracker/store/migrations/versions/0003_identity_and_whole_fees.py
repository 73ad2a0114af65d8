"""The identity of the chain, the scope of fees, and the reason ``nonce-used``.

The table of transactions is created again and filled with its old rows: SQLite cannot change a
constraint, and this way both databases are migrated alike. Old fees have no scope.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OPEN = sa.text("ended_at IS NULL")
_ENDED = sa.text("ended_at IS NOT NULL")

_KEPT = (
    "id, required, state, version, slot, content, block_number, block_hash, succeeded, fee, "
    "failure, superseded_by, reason, error, deadline, waiting_since, missing_height, "
    "missing_time, max_fee, flags, metadata, created_at, updated_at, ended_at"
)


def upgrade() -> None:
    """Add the columns, and allow the new reason."""
    op.add_column("cursors", sa.Column("anchor_number", sa.BigInteger(), nullable=True))
    op.add_column("cursors", sa.Column("anchor_hash", sa.String(length=100), nullable=True))
    op.add_column("events", sa.Column("fee_scope", sa.String(length=12), nullable=True))
    op.execute("CREATE TABLE old_transactions AS SELECT * FROM transactions")
    op.drop_table("transactions")
    _transactions()
    op.execute(f"INSERT INTO transactions ({_KEPT}) SELECT {_KEPT} FROM old_transactions")  # noqa: S608
    op.drop_table("old_transactions")
    _indexes()


def _one_of(column: str, words: str) -> sa.CheckConstraint:
    known = " or ".join(f"{column} = '{word}'" for word in words.split())
    return sa.CheckConstraint(known, name=f"{column}_is_known")


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
        sa.Column("fee_scope", sa.String(length=12), nullable=True),
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
        _one_of("reason", "repriced cancelled replaced nonce-used"),
        _one_of(
            "state",
            "registered pending missing mined mined_reverted superseded confirmed "
            "failed replaced dropped expired invalid untracked reversed",
        ),
        sa.PrimaryKeyConstraint("id", name="transactions_pkey"),
    )


def _indexes() -> None:
    for name, column, rows in (
        ("decided_transactions", "block_hash", _ENDED),
        ("ended_transactions", "ended_at", _ENDED),
        ("open_transactions", "created_at", _OPEN),
    ):
        op.create_index(name, "transactions", [column], sqlite_where=rows, postgresql_where=rows)
