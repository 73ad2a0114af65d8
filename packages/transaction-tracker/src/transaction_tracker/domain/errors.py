"""The root of the errors that the tracker raises for its users."""


class TrackerError(Exception):
    """Root of every error of this package."""


class InvalidTransactionError(TrackerError, ValueError):
    """The text given is no transaction id of the source."""


class NotTrackedError(TrackerError, LookupError):
    """Nobody has ever asked to follow this transaction.

    Attributes:
        id: The transaction asked for.
    """

    def __init__(self, transaction: str) -> None:
        super().__init__(f"{transaction} is not tracked: TransactionTracker.start follows it")
        self.id = transaction


class ParkedError(TrackerError):
    """The transaction's tracker crashed too often and was parked.

    Attributes:
        id: The transaction.
        error: What its tracker died of.
    """

    def __init__(self, transaction: str, error: str) -> None:
        super().__init__(
            f"{transaction} is parked: its tracker died of {error}; start it to try again"
        )
        self.id = transaction
        self.error = error
