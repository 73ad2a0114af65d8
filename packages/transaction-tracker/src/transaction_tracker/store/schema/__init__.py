"""The tables, which are the same in each database."""

from transaction_tracker.store.schema.access import idempotency_keys, tokens
from transaction_tracker.store.schema.addresses import address_searches, addresses
from transaction_tracker.store.schema.alerts import alert_notices, alerts
from transaction_tracker.store.schema.base import Amount, metadata, one_of
from transaction_tracker.store.schema.blocks import block_slots, blocks, bookmarks, cursors
from transaction_tracker.store.schema.events import counters, events
from transaction_tracker.store.schema.outbox import attempts, consumers, endpoints, outbox
from transaction_tracker.store.schema.transactions import (
    ENDED,
    OPEN,
    broadcasts,
    objections,
    token_units,
    transactions,
)

__all__ = [
    "ENDED",
    "OPEN",
    "Amount",
    "address_searches",
    "addresses",
    "alert_notices",
    "alerts",
    "attempts",
    "block_slots",
    "blocks",
    "bookmarks",
    "broadcasts",
    "consumers",
    "counters",
    "cursors",
    "endpoints",
    "events",
    "idempotency_keys",
    "metadata",
    "objections",
    "one_of",
    "outbox",
    "token_units",
    "tokens",
    "transactions",
]
