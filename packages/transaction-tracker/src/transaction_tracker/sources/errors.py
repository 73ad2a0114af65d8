"""What can go wrong between us and a source, by what to do about it."""

from transaction_tracker.domain import TrackerError


class SourceError(TrackerError):
    """The source could not be asked, or its answer is none: try again later."""


class TransportError(SourceError):
    """No answer came: no connection, cut off, or too late."""


class RateLimitedError(SourceError):
    """The source wants fewer requests.

    Attributes:
        retry_after: Seconds that it asks to wait; ``None`` when it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerError(SourceError):
    """The source itself is in trouble.

    Attributes:
        code: The HTTP status, or the error's number in the source's own terms; 0 without one.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class NotYetError(SourceError):
    """The source does not know it yet, and says nothing about whether it exists."""


class MalformedError(SourceError):
    """The answer is not what the source promises to send."""


class ApplicationError(SourceError):
    """The source understood the request and refuses it; it is in good health.

    Attributes:
        code: The error's number in the source's own terms.
        told: What the source itself says, and nothing else.
        data: What the source adds for programs, such as the revert data of a call.
    """

    def __init__(self, message: str, code: int, told: str = "", data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.told = told
        self.data = data


class WrongChainError(SourceError):
    """The source is a good one, of another chain."""
