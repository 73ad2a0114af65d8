"""Hearing of blocks that the tracker has applied."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from beamish import telemetry

APPLIED = ("transaction_tracker", "block", "applied")
DETECTED = ("transaction_tracker", "transaction", "detected")
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Applied:
    """One applied block.

    Attributes:
        seconds: What it took, from the fetched block to the stored one.
        hits: How many of its transactions are tracked.
        time: When it was stored, by the machine's monotonic clock.
    """

    seconds: float
    hits: int
    time: float


@dataclass(slots=True)
class Blocks:
    """What was applied so far, by height.

    Attributes:
        applied: The blocks.
        detected: For each transaction found in one: seconds from the head's coming to its state's
            being stored.
    """

    applied: dict[int, Applied] = field(default_factory=dict)
    detected: list[float] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def at(self, number: int) -> Applied:
        """Wait for a block."""
        async with asyncio.timeout(PATIENCE):
            while number not in self.applied:
                self._news.clear()
                await self._news.wait()
        return self.applied[number]

    def hear(self, event: telemetry.Event, told: object, facts: object) -> None:
        """Note what the follower tells."""
        measured, about = dict(told), dict(facts)  # type: ignore[call-overload]
        if event == DETECTED:
            self.detected.append(measured["seconds"])
            return
        block = Applied(measured["seconds"], measured["hits"], time.monotonic())
        self.applied[about["number"]] = block
        self._news.set()


@contextmanager
def heard() -> Iterator[Blocks]:
    """Record blocks inside the ``with`` block."""
    blocks = Blocks()
    telemetry.attach_many("benchmarks", [APPLIED, DETECTED], blocks.hear)
    try:
        yield blocks
    finally:
        telemetry.detach("benchmarks")
