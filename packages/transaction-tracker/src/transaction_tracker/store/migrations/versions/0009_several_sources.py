"""The source of each transaction and event: a database can have several.

Until now, all transactions of a database belonged to the source of its only cursor. Without a
cursor, the first source that claims the database gets them. An operator can pause a source.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns, and fill them with the source of the cursor."""
    op.add_column("cursors", sa.Column("paused_since", sa.Float(), nullable=True))
    source = op.get_bind().execute(sa.text("SELECT source FROM cursors LIMIT 1")).scalar()
    for table in ("transactions", "events"):
        column = sa.Column("source", sa.String(length=100), server_default="", nullable=False)
        op.add_column(table, column)
        if source is not None:
            rows = sa.table(table, sa.column("source"))
            op.execute(rows.update().values(source=source))
