"""Names, messages and shared state of the outbox's processes."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from beamish import GenServer, NoProcessError, Registry, Via
from transaction_tracker.delivery.health import FAILING_THRESHOLD
from transaction_tracker.delivery.slots import SharedSlots
from transaction_tracker.net import CheckedClient
from transaction_tracker.store.owned import OwnedFor, unlimited

OUTBOX = "TransactionTracker.Outbox"
REGISTRY = "TransactionTracker.Outbox.Registry"
WORKERS = "TransactionTracker.Outbox.Workers"
STARTER = "TransactionTracker.Outbox.WorkerStarter"

# Maximum numbers of attempts in flight: at one endpoint;
MAX_ENDPOINT_ATTEMPTS = 4
# at all endpoints together, beyond the first attempt at each;
MAX_SHARED_ATTEMPTS = 64
# probes, at all endpoints together;
MAX_PROBES = 64
# test messages, at all endpoints together.
MAX_TESTS = 16


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Message: there can be new deliveries.

    Attributes:
        probes: Whether a failing endpoint gets a probe at once, because an operator changed it
            or redelivers to it.
    """

    probes: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """HTTP client and limits that all delivery workers share.

    Attributes:
        client: HTTP client for requests to endpoints.
        shared: Maximum number of attempts in flight beyond the first of each endpoint.
        per_endpoint: Maximum number of attempts in flight at one endpoint.
        max_probes: Maximum number of probes in flight, of endpoints whose breaker is open.
        owned_for: Time for which this program owns the database; without it, nothing is sent.
        failing_threshold: Failed attempts in a row after which an endpoint is failing.
        slots: Slots for attempts beyond the first of each endpoint.
        probes: Semaphore that limits probes in flight.
        tests: Semaphore that limits test messages in flight.

    Raises:
        ValueError: A limit is below 1.
    """

    KEY: ClassVar[str] = "context"

    client: CheckedClient
    shared: int = MAX_SHARED_ATTEMPTS
    per_endpoint: int = MAX_ENDPOINT_ATTEMPTS
    max_probes: int = MAX_PROBES
    owned_for: OwnedFor = unlimited
    failing_threshold: int = FAILING_THRESHOLD
    slots: SharedSlots = field(init=False, repr=False)
    probes: asyncio.Semaphore = field(init=False, repr=False)
    tests: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("shared", "per_endpoint", "max_probes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)!r}")
        object.__setattr__(self, "slots", SharedSlots(self.shared))
        object.__setattr__(self, "probes", asyncio.Semaphore(self.max_probes))
        object.__setattr__(self, "tests", asyncio.Semaphore(MAX_TESTS))

    @staticmethod
    def current() -> "DeliveryContext":
        """Return the context of the running application.

        Raises:
            NoProcessError: The application is not running.
        """
        context: DeliveryContext = Registry.meta(REGISTRY, DeliveryContext.KEY)
        return context


def via(endpoint: str) -> Via:
    """Return the name of an endpoint's delivery worker."""
    return Registry.via(REGISTRY, endpoint)


def wake() -> None:
    """Wake all delivery workers: there can be new deliveries. Never waits, never raises.

    Called after events were stored and after deliveries were resumed. If the outbox is not
    running, its workers read the store when they start.
    """
    try:
        workers = Registry.select(REGISTRY, lambda *_: True)
    except NoProcessError:
        return
    for _, pid, _ in workers:
        GenServer.cast(pid, WakeUp())


def probe(endpoint: str) -> None:
    """Wake an endpoint's delivery worker for a probe at once. Never waits, never raises."""
    GenServer.cast(via(endpoint), WakeUp(probes=True))


def paused_until(endpoint: str) -> float | None:
    """Return the Unix seconds until which nothing is sent to an endpoint; ``None`` if not paused.

    The delivery worker publishes this value; it is not stored.
    """
    try:
        found = Registry.lookup(REGISTRY, endpoint)
    except NoProcessError:
        return None
    until: float | None = found[0][1] if found else None
    return until
