"""Registration by slot, and changes of what is required."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; the rows of today are tracked by their ids, and were not changed."""
    for table in ("transactions", "events"):
        op.add_column(table, sa.Column("hash", sa.String(length=200), nullable=True))
    op.add_column(
        "transactions", sa.Column("revision", sa.Integer(), server_default="0", nullable=False)
    )
