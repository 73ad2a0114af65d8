"""Who chose the required confirmations of a transaction: NULL is its registration.

So the rules of the configuration do not change what is required of transactions that were
registered before the upgrade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("transactions", sa.Column("required_by", sa.Text(), nullable=True))
