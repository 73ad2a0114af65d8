"""Registration by slot, and changes of what is required."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; the rows of today are tracked by their ids, and were not changed."""
    for table in ("transactions", "events"):
        op.add_column(table, sa.Column("hash", sa.String(length=200), nullable=True))
    op.create_table(
        "broadcasts",
        sa.Column("transaction_id", sa.String(length=200), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", name="broadcasts_pkey"),
    )
    op.add_column(
        "transactions", sa.Column("revision", sa.Integer(), server_default="0", nullable=False)
    )
