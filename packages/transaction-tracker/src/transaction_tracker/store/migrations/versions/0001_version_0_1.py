"""The tables of version 0.1, which supported only SQLite and stored no revision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_STATES = (
    "'registered', 'pending', 'mined', 'mined_reverted', 'superseded', 'confirmed', 'failed', "
    "'replaced'"
)
_OPEN = sa.text("state not in ('confirmed', 'failed', 'replaced')")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "transactions",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("required", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("slot", sa.String(200)),
        sa.Column("content", sa.String(64)),
        sa.Column("block_number", sa.Integer),
        sa.Column("block_hash", sa.String(100)),
        sa.Column("succeeded", sa.Boolean),
        sa.Column("fee", sa.String(160)),
        sa.Column("failure", sa.Text),
        sa.Column("superseded_by", sa.String(200)),
        sa.Column("reason", sa.String(20)),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.CheckConstraint(f"state in ({_STATES})", name="state_is_known"),
        sa.CheckConstraint(
            "reason in ('repriced', 'cancelled', 'replaced')", name="reason_is_known"
        ),
    )
    op.create_index(
        "open_transactions", "transactions", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_table(
        "blocks",
        sa.Column("source", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(100), nullable=False),
        sa.Column("parent", sa.String(100), nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer),
        sa.Column("hash", sa.String(100)),
    )
    op.create_table(
        "events",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("transaction_id", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("block_number", sa.Integer),
        sa.Column("block_hash", sa.String(100)),
        sa.Column("superseded_by", sa.String(200)),
        sa.Column("reason", sa.String(20)),
        sa.Column("recorded_at", sa.Float, nullable=False),
        sa.UniqueConstraint("transaction_id", "version"),
        sqlite_autoincrement=True,
    )
