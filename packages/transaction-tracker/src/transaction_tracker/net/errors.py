"""What can go wrong before an answer comes."""

from typing import Literal

from transaction_tracker.domain import TrackerError

Why = Literal[
    "forbidden",  # the host's address is one that nobody may be sent to
    "dns",  # the host has no address
    "connection",  # nobody listens there, or it broke off
    "tls",  # it could not show who it is
    "timeout",  # the deadline passed
    "protocol",  # what came is no HTTP
]


class ForbiddenUrlError(TrackerError, ValueError):
    """The URL is none that may be asked. The message does not repeat it: it may hold a key."""


class ForbiddenAddressError(TrackerError, OSError):
    """The address may not be connected to. Also an ``OSError``, for the client below it."""


class NoAnswerError(TrackerError):
    """No answer came.

    Attributes:
        why: Which kind of failure it was.
    """

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why: Why = why
