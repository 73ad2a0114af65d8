"""What can go wrong with the store before it runs; later failures crash it, and it starts again."""

from transaction_tracker.domain import TrackerError


class StoreError(TrackerError):
    """The database cannot be used."""
