"""Deliveries as values: one event for one endpoint, and what waits."""

import time
from dataclasses import dataclass

from transaction_tracker.store.endpoints import Endpoint
from transaction_tracker.store.feed import Entry


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint.

    Attributes:
        endpoint: The endpoint's id.
        entry: The event.
        attempts: How often it was tried.
        state: ``pending``, ``delivered`` or ``dead``.
        status: The HTTP status of the last answer; ``None`` when there was none.
        error: Why the last attempt failed.
        settled_at: Unix seconds since when it is delivered or dead.
    """

    endpoint: str
    entry: Entry
    attempts: int = 0
    state: str = "pending"
    status: int | None = None
    error: str | None = None
    settled_at: float | None = None

    @property
    def position(self) -> int:
        """The event's place among all events; with the endpoint it names the delivery."""
        return self.entry.position

    @property
    def transaction(self) -> str:
        """The transaction; its events are delivered in order."""
        return self.entry.event.tracked.id


@dataclass(frozen=True, slots=True)
class Batch:
    """What an endpoint is to be told now.

    Attributes:
        endpoint: The endpoint as it is stored; ``None`` when it is gone.
        deliveries: What is due, the longest due first.
        next_due: Unix seconds when more will be due; ``None`` when nothing waits for a time.
        frozen: Nothing is to be told until somebody thaws the chain's deliveries.
    """

    endpoint: Endpoint | None
    deliveries: tuple[Delivery, ...] = ()
    next_due: float | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits at all endpoints.

    Attributes:
        pending: Deliveries not settled yet.
        oldest: Unix seconds when the oldest of them was written; ``None`` when there is none.
    """

    pending: int
    oldest: float | None

    @property
    def age_seconds(self) -> float:
        """How long the oldest has waited; 0 when there is none."""
        return 0.0 if self.oldest is None else max(0.0, time.time() - self.oldest)
