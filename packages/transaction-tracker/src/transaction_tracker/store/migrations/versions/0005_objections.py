"""The objections of providers to ends, which were kept in memory only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "objections",
        sa.Column("transaction_id", sa.String(length=200), nullable=False),
        sa.Column("provider", sa.String(length=300), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("passes", sa.Boolean(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=100), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("winner", sa.String(length=200), nullable=True),
        sa.Column("confirmed_number", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_hash", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("transaction_id", "provider", name="objections_pkey"),
    )
