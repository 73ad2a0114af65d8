"""The supervision tree, and the settings that it runs by."""

from transaction_tracker.application.settings import Settings
from transaction_tracker.application.tree import TransactionTrackerApplication

__all__ = ["Settings", "TransactionTrackerApplication"]
