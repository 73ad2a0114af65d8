"""How deliveries to endpoints are going, for those who operate the service."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from transaction_tracker.outbox.context import paused_until
from transaction_tracker.outbox.errors import UnknownEndpointError
from transaction_tracker.store import Store, endpoint_status, endpoints
from transaction_tracker.store import attempts as store
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.endpoint_status import EndpointStatus
from transaction_tracker.store.endpoints import Endpoint

MAX_PAGE = 1_000

HealthWord = Literal["healthy", "failing", "disabled"]


@dataclass(frozen=True, slots=True)
class Status:
    """How deliveries to an endpoint are going.

    Attributes:
        endpoint: The endpoint.
        pending: Deliveries that are not settled yet.
        dead: Deliveries that were given up.
        last: The last attempt; ``None`` before the first.
        last_failed: The last attempt that failed, if it is still kept.
        next_attempt_at: Unix seconds of the next attempt; ``None`` when none is planned.
    """

    endpoint: Endpoint
    pending: int
    dead: int
    last: AttemptRecord | None
    last_failed: AttemptRecord | None
    next_attempt_at: float | None

    @property
    def health(self) -> HealthWord:
        """Whether the endpoint works, fails with every attempt, or is disabled."""
        if not self.endpoint.enabled:
            return "disabled"
        return "healthy" if self.endpoint.failing_since is None else "failing"


async def attempts(
    endpoint: str, *, before: int | None = None, limit: int = 100, position: int | None = None
) -> list[AttemptRecord]:
    """List the last attempts at an endpoint, the newest first.

    Args:
        endpoint: The endpoint's id.
        before: Only attempts before the one with this ``id``; ``None`` begins with the newest.
        limit: How many at most, 1 to 1,000.
        position: Only of the event with this place among all events.

    Raises:
        UnknownEndpointError: There is no such endpoint.
        ValueError: The limit is not in its range.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE}, got {limit!r}")
    work = partial(store.page, endpoint=endpoint, before=before, limit=limit, position=position)
    await status(endpoint)  # which knows whether there is one
    return await Store.run(work)


async def status(endpoint: str) -> Status:
    """Return how deliveries to an endpoint are going.

    Raises:
        UnknownEndpointError: There is no such endpoint.
    """
    known, found = await Store.run(partial(_with_status, endpoint=endpoint))
    if known is None:
        raise UnknownEndpointError(endpoint)
    return _status(known, found)


async def statuses() -> list[Status]:
    """Return how deliveries to each endpoint are going, the oldest endpoint first."""
    found = await Store.run(_with_statuses)
    return [_status(endpoint, known) for endpoint, known in found]


async def oldest_pending() -> float | None:
    """Return the Unix seconds when the oldest delivery was written that still waits.

    What waits for a disabled endpoint is not counted; ``None`` when nothing waits.
    """
    return await Store.run(endpoint_status.oldest_pending)


async def count_failing() -> int:
    """Count the enabled endpoints at which every attempt in a row has failed."""
    return await Store.run(endpoint_status.count_failing)


def _with_status(connection: Connection, endpoint: str) -> tuple[Endpoint | None, EndpointStatus]:
    found = endpoint_status.statuses(connection, endpoint)
    return endpoints.load(connection, endpoint), found.get(endpoint, EndpointStatus())


def _with_statuses(connection: Connection) -> list[tuple[Endpoint, EndpointStatus]]:
    found = endpoint_status.statuses(connection)
    everyone = endpoints.load_all(connection)
    return [(endpoint, found.get(endpoint.id, EndpointStatus())) for endpoint in everyone]


def _status(endpoint: Endpoint, found: EndpointStatus) -> Status:
    due_at = found.next_due if endpoint.enabled else None
    paused = paused_until(endpoint.id)
    return Status(
        endpoint,
        found.pending,
        found.dead,
        found.attempts.last,
        found.attempts.last_failed,
        due_at if due_at is None or paused is None else max(due_at, paused),
    )
