"""Who chose the required confirmations of a transaction, and the units of tokens.

NULL is the registration: the rules of the configuration do not change what is required of
transactions that were registered before the upgrade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("transactions", sa.Column("required_by", sa.Text(), nullable=True))
    op.create_table(
        "token_units",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("contract", sa.String(length=100), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=True),
        sa.Column("symbol", sa.String(length=100), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "contract", name="token_units_pkey"),
    )
