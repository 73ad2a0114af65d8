"""The supervision tree and its settings."""

from transaction_tracker.application.settings import Settings
from transaction_tracker.application.tree import TransactionTrackerApplication

__all__ = ["Settings", "TransactionTrackerApplication"]
