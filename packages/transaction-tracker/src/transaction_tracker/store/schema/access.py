"""The tables of API tokens and idempotency keys."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table

from transaction_tracker.store.schema.base import metadata

tokens: Table = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("label", String(100), nullable=False),
    # SHA-256 of the token's secret, in hexadecimal. The secret itself is not stored.
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", String(100), nullable=False),  # words with spaces between
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("last_used_at", Float),
    Column("revoked_at", Float),
)

idempotency_keys: Table = Table(
    "idempotency_keys",
    metadata,
    # The id of the token that sent the key; empty if no token is needed.
    Column("owner", String(16), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of method, path and body
    Column("status", Integer, nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib
    Column("created_at", Float, nullable=False),
)
Index(None, idempotency_keys.c.created_at)
