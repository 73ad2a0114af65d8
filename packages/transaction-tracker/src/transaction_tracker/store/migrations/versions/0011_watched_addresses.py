"""Watched addresses, the search for earlier deposits, and the deposits of transactions and events.

``addresses_version`` counts the additions of addresses of a source, so that a block that was
compared with fewer addresses is not applied.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables, and add the columns."""
    op.create_table(
        "addresses",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("required", sa.String(length=12), nullable=True),
        sa.Column("metadata", sa.Text(), server_default="{}", nullable=False),
        sa.Column("watched_from", sa.BigInteger(), nullable=True),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("open", sa.Integer(), server_default="0", nullable=False),
        sa.Column("below_minimum", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("over_limit", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("search", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "address", name="addresses_pkey"),
    )
    searched = sa.text("search IS NOT NULL")
    op.create_index(
        "searched_addresses",
        "addresses",
        ["search"],
        sqlite_where=searched,
        postgresql_where=searched,
    )
    op.create_table(
        "address_searches",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("next_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="address_searches_pkey"),
    )
    for table in ("transactions", "events"):
        op.add_column(table, sa.Column("deposits", sa.Text(), nullable=True))
    version = sa.Column("addresses_version", sa.Integer(), server_default="0", nullable=False)
    op.add_column("cursors", version)
