"""One supervised, registered, long-lived process per money transaction."""

from transaction_tracker.application import Settings, TransactionTrackerApplication
from transaction_tracker.domain import (
    BlockRef,
    Event,
    InvalidTransactionError,
    NotTrackedError,
    Outcome,
    ParkedError,
    Reason,
    State,
    Tracked,
    TrackerError,
)
from transaction_tracker.sources import Source, SourceError, WrongChainError
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.store import StoreError
from transaction_tracker.tracker import TransactionTracker

__all__ = [
    "BlockRef",
    "EthereumSource",
    "Event",
    "InvalidTransactionError",
    "NotTrackedError",
    "Outcome",
    "ParkedError",
    "Reason",
    "Settings",
    "Source",
    "SourceError",
    "State",
    "StoreError",
    "Tracked",
    "TrackerError",
    "TransactionTracker",
    "TransactionTrackerApplication",
    "WrongChainError",
]
