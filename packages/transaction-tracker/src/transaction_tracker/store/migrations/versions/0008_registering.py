"""What is required of a transaction can be changed after its registration."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the number of changes of a registration: none so far."""
    op.add_column(
        "transactions", sa.Column("revision", sa.Integer(), server_default="0", nullable=False)
    )
