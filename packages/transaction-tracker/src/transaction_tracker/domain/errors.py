"""The errors that the tracker raises for its users."""

from collections.abc import Sequence


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


class AmbiguousIdError(TrackerError, ValueError):
    """The id fits several sources, and does not say which of them is meant.

    Attributes:
        id: The id.
        candidates: The ids that say it, one of each source.
    """

    def __init__(self, transaction: str, candidates: Sequence[str]) -> None:
        super().__init__(
            f"{transaction!r} fits several sources; use one of {', '.join(candidates)}"
        )
        self.id = transaction
        self.candidates: tuple[str, ...] = tuple(candidates)


class UnknownSourceError(TrackerError, LookupError):
    """The source of a stored transaction is not in the configuration.

    Attributes:
        source: Its name in the database.
    """

    def __init__(self, source: str) -> None:
        super().__init__(f"no configured source follows {source}; add it to [[sources]]")
        self.source = source


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
