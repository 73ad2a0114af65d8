"""Who paid whom how much, and what the user expects.

Old events keep what they said: their details are NULL. An open transaction gets its details with
its next event that shows them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    for table in ("transactions", "events"):
        op.add_column(table, sa.Column("gas_used", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("effects", sa.String(length=32), nullable=True))
        op.add_column(table, sa.Column("details", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("expectation", sa.Text(), nullable=True))
