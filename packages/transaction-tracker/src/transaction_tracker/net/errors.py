"""The reasons why a request gets no response."""

from typing import Literal

from transaction_tracker.domain import TrackerError

Why = Literal[
    "forbidden",  # connections to the host's address are not allowed
    "dns",  # the host has no address
    "connection",  # the connection was refused, or closed before the response
    "tls",  # the TLS handshake or the certificate verification failed
    "timeout",  # the deadline passed
    "protocol",  # the response is not valid HTTP
]


class ForbiddenUrlError(TrackerError, ValueError):
    """The URL is not allowed. The message does not repeat the URL, which can contain a key.

    Attributes:
        can_be_allowed: Whether the error is about a host that an allow list can permit.
    """

    def __init__(self, message: str, *, can_be_allowed: bool = False) -> None:
        super().__init__(message)
        self.can_be_allowed = can_be_allowed


class ForbiddenAddressError(TrackerError, OSError):
    """Connections to the address are not allowed.

    Also an ``OSError``, so that aiohttp treats it as a failed connection.

    Attributes:
        can_be_allowed: Whether an allow list can permit the address.
    """

    def __init__(self, message: str, *, can_be_allowed: bool = False) -> None:
        super().__init__(message)
        self.can_be_allowed = can_be_allowed


class NoAnswerError(TrackerError):
    """The request got no response.

    Attributes:
        why: Kind of failure.
    """

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why: Why = why
