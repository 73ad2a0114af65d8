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
    """The transaction is parked.

    Its tracker crashed too often, or no provider describes it in a readable way.

    Attributes:
        id: The transaction.
        error: The last crash of its tracker, or what could not be read.
    """

    def __init__(self, transaction: str, error: str) -> None:
        super().__init__(f"{transaction} is parked; the last error: {error}; start it to try again")
        self.id = transaction
        self.error = error
