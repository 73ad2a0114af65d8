"""What the parts of the outbox know of each other: names, messages, and what they share."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from beamish import GenServer, NoProcessError, Registry, Via
from transaction_tracker.net import CheckedClient

OUTBOX = "TransactionTracker.Outbox"
REGISTRY = "TransactionTracker.Outbox.Registry"
COURIERS = "TransactionTracker.Outbox.Couriers"
KEEPER = "TransactionTracker.Outbox.Keeper"

CONCURRENCY = 64
PER_ENDPOINT = 4


@dataclass(frozen=True, slots=True)
class Wake:
    """There may be something new to deliver."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all couriers share.

    Attributes:
        client: How endpoints are reached.
        concurrency: Attempts that may be under way at all endpoints together.
        per_endpoint: Attempts that may be under way at one.
        slots: One for each attempt that may be under way.

    Raises:
        ValueError: One of the limits is below 1.
    """

    KEY: ClassVar[str] = "context"

    client: CheckedClient
    concurrency: int = CONCURRENCY
    per_endpoint: int = PER_ENDPOINT
    slots: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("concurrency", "per_endpoint"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)!r}")
        object.__setattr__(self, "slots", asyncio.Semaphore(self.concurrency))

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
