"""The errors that the tracker raises for its users."""


class TrackerError(Exception):
    """Base class of all errors of this package."""


class InvalidTransactionError(TrackerError, ValueError):
    """The text is not a valid transaction id of the source.

    Attributes:
        field: Name of the invalid part, if the id has several: ``"sender"`` or ``"nonce"``.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotTrackedError(TrackerError, LookupError):
    """The transaction was never registered.

    Attributes:
        id: The transaction.
    """

    def __init__(self, transaction: str) -> None:
        super().__init__(
            f"{transaction} is not tracked; start tracking it with TransactionTracker.start"
        )
        self.id = transaction


class EndedError(TrackerError):
    """The transaction has ended, so what is required of it can no longer be changed.

    Attributes:
        id: The transaction.
        state: The state that ended it.
    """

    def __init__(self, transaction: str, state: str) -> None:
        super().__init__(
            f"{transaction} has ended as {state}: what was required of it can no longer be changed"
        )
        self.id = transaction
        self.state = state


class ParkedError(TrackerError):
    """The transaction is parked.

    Its tracker crashed repeatedly, or no provider returns readable data about it.

    Attributes:
        id: The transaction.
        error: The last crash of its tracker, or what could not be read.
    """

    def __init__(self, transaction: str, error: str) -> None:
        super().__init__(f"{transaction} is parked; last error: {error}; start it again to retry")
        self.id = transaction
        self.error = error
