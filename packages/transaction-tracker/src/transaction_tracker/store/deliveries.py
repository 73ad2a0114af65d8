"""Deliveries as values: one event for one endpoint."""

import time
from dataclasses import dataclass

from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store.feed import EventRecord


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint.

    Attributes:
        endpoint: The endpoint's id.
        entry: The event.
        attempts: Number of attempts.
        state: ``pending``, ``delivered`` or ``dead``.
        status: The HTTP status of the last response; ``None`` without one.
        error: Why the last attempt failed.
        settled_at: Unix seconds when it became delivered or dead.
    """

    endpoint: str
    entry: EventRecord
    attempts: int = 0
    state: str = "pending"
    status: int | None = None
    error: str | None = None
    settled_at: float | None = None

    @property
    def position(self) -> int:
        """The event's position among all events; together with the endpoint, the delivery's key."""
        return self.entry.position

    @property
    def transaction(self) -> str:
        """The transaction id; the events of a transaction are delivered in order."""
        return self.entry.event.tracked.key


@dataclass(frozen=True, slots=True)
class Batch:
    """The deliveries that are due at an endpoint.

    Attributes:
        endpoint: The endpoint as it is stored; ``None`` if it was removed.
        deliveries: The due deliveries, the longest due first.
        next_due: Unix seconds when the next delivery is due; ``None`` if none is scheduled.
        frozen: Whether deliveries are paused until resumed.
    """

    endpoint: WebhookEndpoint | None
    deliveries: tuple[Delivery, ...] = ()
    next_due: float | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """The pending deliveries of all endpoints.

    Attributes:
        pending: Number of pending deliveries.
        oldest: Unix seconds when the oldest of them was stored; ``None`` if there is none.
    """

    pending: int
    oldest: float | None

    @property
    def age_seconds(self) -> float:
        """Seconds for which the oldest has waited; 0 if there is none."""
        return 0.0 if self.oldest is None else max(0.0, time.time() - self.oldest)
