"""Errors of a source, one class for each reaction to them."""

from transaction_tracker.domain import TrackerError


class SourceError(TrackerError):
    """The source gave no usable response: try again later."""


class TransportError(SourceError):
    """No response arrived: no connection, a closed connection, or a timeout."""


class LateError(TransportError):
    """The response did not arrive within the deadline."""


class RateLimitedError(SourceError):
    """The source, or the client itself, limits the rate of requests.

    Attributes:
        retry_after: Seconds to wait; ``None`` if unknown.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerError(SourceError):
    """The source failed for a reason of its own, not because of the request.

    Attributes:
        code: HTTP status, or the source's error code; 0 without a code.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class NotYetError(SourceError):
    """The source cannot answer yet; this is not evidence that the object does not exist."""


class MalformedError(SourceError):
    """The response is not what the source's protocol allows."""


class TooLongError(MalformedError):
    """The response is longer than allowed, or the source refuses the request as too long."""


class ApplicationError(SourceError):
    """The source understood the request and refuses it; the source itself is healthy.

    Attributes:
        code: The source's error code.
        source_message: The source's own message, without a prefix.
        data: Data of the error for programs, such as the revert data of a call.
    """

    def __init__(
        self, message: str, code: int, source_message: str = "", data: object = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.source_message = source_message
        self.data = data


class WrongChainError(SourceError):
    """The source works, but is on another chain."""
