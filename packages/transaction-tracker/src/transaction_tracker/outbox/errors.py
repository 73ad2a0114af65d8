"""What can go wrong with endpoints."""

from transaction_tracker.domain import TrackerError


class UnknownEndpointError(TrackerError, LookupError):
    """There is no such endpoint.

    Attributes:
        id: The endpoint asked for.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"there is no endpoint {endpoint!r}; list them to see which there are")
        self.id = endpoint
