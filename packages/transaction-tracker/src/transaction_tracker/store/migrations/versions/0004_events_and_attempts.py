# ruff: noqa: S608
"""Events with all their fields, stored attempts, and since when endpoints fail.

The table of events is created again and filled with its old rows. An old event gets the values that
it had in the API before: the metadata and requirements of its transaction at the upgrade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEPT = (
    "position, transaction_id, version, previous, state, block_number, block_hash, succeeded, "
    "fee, fee_scope, failure, superseded_by, reason, flags, recorded_at"
)
_ADDED = "required, slot, content, deadline, metadata"


def upgrade() -> None:
    """Add the fields of events, attempts, and the failing time of endpoints."""
    op.execute("CREATE TABLE old_events AS SELECT * FROM events")
    op.drop_table("events")
    _events()
    old = ", ".join(f"old_events.{name}" for name in _KEPT.split(", "))
    added = ", ".join(f"transactions.{name}" for name in _ADDED.split(", "))
    op.execute(
        f"INSERT INTO events ({_KEPT}, {_ADDED}) SELECT {old}, {added} FROM old_events "
        "JOIN transactions ON transactions.id = old_events.transaction_id"
    )
    op.drop_table("old_events")
    op.add_column("outbox", sa.Column("tried_at", sa.Float(), nullable=True))
    op.add_column("endpoints", sa.Column("failing_since", sa.Float(), nullable=True))
    _attempts()


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
        sa.Column("fee_scope", sa.String(length=12), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("flags", sa.String(length=100), server_default="", nullable=False),
        sa.Column("required", sa.String(length=12), nullable=False),
        sa.Column("slot", sa.String(length=200), nullable=True),
        sa.Column("content", sa.String(length=64), nullable=True),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="events_pkey"),
        sa.UniqueConstraint("transaction_id", "version", name="events_transaction_id_version_key"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="attempts_pkey"),
    )
    op.create_index("attempts_of_deliveries", "attempts", ["endpoint_id", "position", "id"])
    op.create_index("attempts_of_endpoints", "attempts", ["endpoint_id", "id"])
