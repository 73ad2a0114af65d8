"""Delivery status of endpoints, for operators."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from transaction_tracker.delivery.context import paused_until
from transaction_tracker.domain import TrackerError
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store import Store, endpoint_status, endpoints
from transaction_tracker.store import attempts as store
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.endpoint_status import EndpointStatus

MAX_PAGE_SIZE = 1_000

HealthState = Literal["healthy", "failing", "disabled"]


class UnknownEndpointError(TrackerError, LookupError):
    """No endpoint has this id.

    Attributes:
        id: The unknown id.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"unknown endpoint {endpoint!r}; list the endpoints to see their ids")
        self.id = endpoint


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Status of the deliveries to one endpoint.

    Attributes:
        endpoint: The endpoint.
        pending: Number of pending deliveries.
        dead: Number of dead letters.
        last: Last attempt; ``None`` before the first.
        last_failed: Last failed attempt, if it is still stored.
        next_attempt_at: Unix seconds of the next attempt; ``None`` if none is scheduled.
    """

    endpoint: WebhookEndpoint
    pending: int
    dead: int
    last: AttemptRecord | None
    last_failed: AttemptRecord | None
    next_attempt_at: float | None

    @property
    def health(self) -> HealthState:
        """Whether the endpoint works, is failing, or is disabled."""
        if not self.endpoint.enabled:
            return "disabled"
        return "healthy" if self.endpoint.failing_since is None else "failing"


async def attempts(
    endpoint: str, *, before: int | None = None, limit: int = 100, position: int | None = None
) -> list[AttemptRecord]:
    """Return the last attempts at an endpoint, the newest first.

    Args:
        endpoint: Id of the endpoint.
        before: Return only attempts before the one with this ``id``. Default: start with the
            newest.
        limit: Maximum number of attempts, 1 to 1,000.
        position: Return only attempts to deliver the event at this position of the feed.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        ValueError: ``limit`` is out of range.
    """
    if not 1 <= limit <= MAX_PAGE_SIZE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE_SIZE}, got {limit!r}")
    work = partial(store.page, endpoint=endpoint, before=before, limit=limit, position=position)
    await status(endpoint)  # raises if the endpoint is unknown
    return await Store.run(work)


async def status(endpoint: str) -> DeliveryStatus:
    """Return the status of the deliveries to an endpoint.

    Raises:
        UnknownEndpointError: No endpoint has this id.
    """
    known, found = await Store.run(partial(_with_status, endpoint=endpoint))
    if known is None:
        raise UnknownEndpointError(endpoint)
    return _status(known, found)


async def statuses() -> list[DeliveryStatus]:
    """Return the status of the deliveries to each endpoint, the oldest endpoint first."""
    found = await Store.run(_with_statuses)
    return [_status(endpoint, known) for endpoint, known in found]


async def oldest_pending() -> float | None:
    """Return the Unix seconds at which the oldest pending delivery was stored.

    Deliveries to disabled endpoints do not count; ``None`` if no delivery is pending.
    """
    return await Store.run(endpoint_status.oldest_pending)


async def count_failing() -> int:
    """Count the enabled endpoints at which every attempt in a row has failed."""
    return await Store.run(endpoint_status.count_failing)


def _with_status(
    connection: Connection, endpoint: str
) -> tuple[WebhookEndpoint | None, EndpointStatus]:
    found = endpoint_status.statuses(connection, endpoint)
    return endpoints.load(connection, endpoint), found.get(endpoint, EndpointStatus())


def _with_statuses(connection: Connection) -> list[tuple[WebhookEndpoint, EndpointStatus]]:
    found = endpoint_status.statuses(connection)
    return [
        (endpoint, found.get(endpoint.id, EndpointStatus()))
        for endpoint in endpoints.load_all(connection)
    ]


def _status(endpoint: WebhookEndpoint, found: EndpointStatus) -> DeliveryStatus:
    due_at = found.next_due if endpoint.enabled else None
    paused = paused_until(endpoint.id)
    return DeliveryStatus(
        endpoint,
        found.pending,
        found.dead,
        found.attempts.last,
        found.attempts.last_failed,
        due_at if due_at is None or paused is None else max(due_at, paused),
    )
