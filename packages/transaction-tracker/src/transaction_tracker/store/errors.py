"""The errors of the store."""

from transaction_tracker.domain import TrackerError


class StoreError(TrackerError):
    """The database cannot be used, or cannot do what was requested."""


class DatabaseUrlError(StoreError, ValueError):
    """The text is not a valid database URL. The message omits it: it can hold a password."""


class DatabaseFailedError(StoreError):
    """The database rejected or aborted an operation.

    Raised instead of the driver's error, which can contain the password and rows.
    """


class UnavailableError(StoreError):
    """The database cannot be used now; retrying can succeed."""


class NotOwnerError(StoreError):
    """Another program owns the database; it can own it for as long as it runs."""
