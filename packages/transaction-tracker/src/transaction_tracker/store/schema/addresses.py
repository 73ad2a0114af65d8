"""The table of watched addresses."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text, text

from transaction_tracker.store.schema.base import metadata

addresses: Table = Table(
    "addresses",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("address", String(100), primary_key=True),
    # A number of confirmations, or a tag of the chain; NULL for the setting of the source.
    Column("required", String(12)),
    Column("metadata", Text, nullable=False, server_default="{}"),
    # The lowest block that is compared with the address while the chain is followed.
    Column("watched_from", BigInteger),
    # Transactions that paid it, and those of them that are not final.
    Column("found", BigInteger, nullable=False, server_default="0"),
    Column("open", Integer, nullable=False, server_default="0"),
    # Payments that became no transaction, by reason.
    Column("below_minimum", BigInteger, nullable=False, server_default="0"),
    Column("over_limit", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    # The search for earlier deposits; NULL once it is complete.
    Column("search", Integer),
    Column("created_at", Float, nullable=False),
)

# Few addresses have a search at any time.
_SEARCHED = text("search IS NOT NULL")
Index(
    "searched_addresses",
    addresses.c.search,
    sqlite_where=_SEARCHED,
    postgresql_where=_SEARCHED,
)

# Each searches a range of blocks for deposits to the addresses that name it.
address_searches: Table = Table(
    "address_searches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("source", String(100), nullable=False),
    Column("first_block", BigInteger, nullable=False),
    Column("next_block", BigInteger, nullable=False),
    Column("last_block", BigInteger, nullable=False),
    # Counts the additions of addresses to it.
    Column("changes", Integer, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
)
