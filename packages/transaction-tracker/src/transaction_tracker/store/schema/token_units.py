"""The table of the tokens that transactions have transferred, with their units."""

from sqlalchemy import Column, Float, Integer, String, Table

from transaction_tracker.store.schema.base import metadata

token_units: Table = Table(
    "token_units",
    metadata,
    # Name of the source, as in the transactions.
    Column("source", String(100), primary_key=True),
    Column("contract", String(100), primary_key=True),
    # NULL until the contract has been asked, and if it says none that is valid.
    Column("decimals", Integer),
    Column("symbol", String(100)),
    Column("attempts", Integer, nullable=False),
    # Unix seconds of the next attempt.
    Column("next_at", Float, nullable=False),
)
