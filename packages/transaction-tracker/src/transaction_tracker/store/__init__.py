"""The durable state: transactions, their events, deliveries, and the blocks of the chain."""

from transaction_tracker.store.errors import (
    DatabaseFailedError,
    DatabaseUrlError,
    NotOwnerError,
    StoreError,
    UnavailableError,
)
from transaction_tracker.store.lease import LeaseHolder
from transaction_tracker.store.open_transactions import OpenBySource, OpenTransactions
from transaction_tracker.store.process import STORE, Store
from transaction_tracker.store.steps import FoundDeposits, Step, Stored
from transaction_tracker.store.upgrade import migrate, pending_revisions
from transaction_tracker.store.url import DatabaseUrl

__all__ = [
    "STORE",
    "DatabaseFailedError",
    "DatabaseUrl",
    "DatabaseUrlError",
    "FoundDeposits",
    "LeaseHolder",
    "NotOwnerError",
    "OpenBySource",
    "OpenTransactions",
    "Step",
    "Store",
    "StoreError",
    "Stored",
    "UnavailableError",
    "migrate",
    "pending_revisions",
]
