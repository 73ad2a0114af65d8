"""The service: its supervision tree, its settings, and what runs beside the tree."""

from transaction_tracker.service.settings import Settings, SourceSettings
from transaction_tracker.service.tree import TransactionTrackerApplication

__all__ = ["Settings", "SourceSettings", "TransactionTrackerApplication"]
