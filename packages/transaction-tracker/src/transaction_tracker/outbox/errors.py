"""Errors of the functions that manage webhook endpoints."""

from transaction_tracker.domain import TrackerError


class UnknownEndpointError(TrackerError, LookupError):
    """No endpoint has this id.

    Attributes:
        id: The unknown id.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"unknown endpoint {endpoint!r}; list the endpoints to see their ids")
        self.id = endpoint
