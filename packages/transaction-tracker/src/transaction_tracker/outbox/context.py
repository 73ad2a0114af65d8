"""What the parts of the outbox know of each other: names, messages, and what they share."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from beamish import GenServer, NoProcessError, Registry, Via
from transaction_tracker.net import CheckedClient
from transaction_tracker.outbox.slots import SharedSlots

OUTBOX = "TransactionTracker.Outbox"
REGISTRY = "TransactionTracker.Outbox.Registry"
COURIERS = "TransactionTracker.Outbox.Couriers"
KEEPER = "TransactionTracker.Outbox.Keeper"

# At one endpoint.
MAX_ENDPOINT_ATTEMPTS = 4
# At all endpoints together, beyond the first attempt at each.
MAX_SHARED_ATTEMPTS = 64
# Probes of endpoints that fail, at all of these together.
MAX_PROBES = 64
# Test messages, at all endpoints together.
MAX_TESTS = 16


@dataclass(frozen=True, slots=True)
class Wake:
    """There may be something new to deliver.

    Attributes:
        probes: Whether an endpoint that fails is tried again at once, because its operator has
            changed something.
    """

    probes: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What all couriers share.

    Attributes:
        client: The HTTP client that reaches endpoints.
        shared: Maximum number of attempts in flight beyond the first of each endpoint.
        per_endpoint: Maximum number of attempts in flight at one endpoint.
        max_probes: Maximum number of probes in flight, of endpoints whose breaker is open.
        slots: The slots for attempts beyond the first of each endpoint.
        probes: One for each probe in flight.
        tests: One for each test message in flight.

    Raises:
        ValueError: One of the limits is below 1.
    """

    KEY: ClassVar[str] = "context"

    client: CheckedClient
    shared: int = MAX_SHARED_ATTEMPTS
    per_endpoint: int = MAX_ENDPOINT_ATTEMPTS
    max_probes: int = MAX_PROBES
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
    def current() -> "Context":
        """Give that of the application that runs, or raise ``NoProcessError``."""
        context: Context = Registry.meta(REGISTRY, Context.KEY)
        return context


def via(endpoint: str) -> Via:
    """Name the courier of an endpoint."""
    return Registry.via(REGISTRY, endpoint)


def wake() -> None:
    """Let all couriers look for something to deliver. Never waits, and never raises.

    For whoever has heard that events were written, or that deliveries are thawed. An outbox
    that is not there looks by itself when it comes back.
    """
    try:
        couriers = Registry.select(REGISTRY, lambda *_: True)
    except NoProcessError:
        return
    for _, pid, _ in couriers:
        GenServer.cast(pid, Wake())


def probe(endpoint: str) -> None:
    """Let the courier of an endpoint try again at once. Never waits, and never raises."""
    GenServer.cast(via(endpoint), Wake(probes=True))


def paused_until(endpoint: str) -> float | None:
    """Return the Unix seconds until which nothing is sent to an endpoint; ``None`` if not paused.

    It is what its courier published last, and is not stored.
    """
    try:
        found = Registry.lookup(REGISTRY, endpoint)
    except NoProcessError:
        return None
    until: float | None = found[0][1] if found else None
    return until
