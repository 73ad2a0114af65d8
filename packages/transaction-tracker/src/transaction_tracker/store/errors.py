"""What can go wrong with the store."""

from transaction_tracker.domain import TrackerError


class StoreError(TrackerError):
    """The database cannot be used, or not for this."""


class DatabaseUrlError(StoreError, ValueError):
    """The text names no database. The message does not repeat it: it may hold a password."""


class DatabaseFailedError(StoreError):
    """The database refused or broke off what was asked of it.

    It takes the place of the driver's own error, which can hold the password and the rows.
    """


class UnavailableError(StoreError):
    """The database cannot be used now; a moment later it may."""
