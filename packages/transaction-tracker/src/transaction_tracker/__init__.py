"""One supervised, registered, long-lived process per money transaction."""

from transaction_tracker.application import Settings, TransactionTrackerApplication
from transaction_tracker.domain import (
    BlockRef,
    Event,
    InvalidTransactionError,
    NotTrackedError,
    Outcome,
    ParkedError,
    Policy,
    Reason,
    Registration,
    State,
    Tracked,
    TrackerError,
)
from transaction_tracker.listener import StoredEvent
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.sources import ChainSource, Source, SourceError, WrongChainError
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.store import StoreError
from transaction_tracker.tracker import TransactionTracker

__all__ = [
    "BlockRef",
    "ChainSource",
    "EthereumSource",
    "Event",
    "InvalidTransactionError",
    "NotTrackedError",
    "Outcome",
    "ParkedError",
    "Policy",
    "ProviderSettings",
    "Reason",
    "Registration",
    "Settings",
    "Source",
    "SourceError",
    "State",
    "StoreError",
    "StoredEvent",
    "Tracked",
    "TrackerError",
    "TransactionTracker",
    "TransactionTrackerApplication",
    "WrongChainError",
]
