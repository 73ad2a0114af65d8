"""What the tests of telemetry share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from beamish import debug, telemetry
from beamish._diagnostics import awake


class Emitted(NamedTuple):
    """One event, as a handler got it."""

    event: telemetry.Event
    measurements: dict[str, Any]
    metadata: dict[str, Any]


class Recorder:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.all: list[Emitted] = []

    def __call__(self, event: Any, measurements: Any, metadata: Any) -> None:
        self.all.append(Emitted(event, dict(measurements), dict(metadata)))

    def of(self, *name: str) -> list[Emitted]:
        """List those whose names begin with ``("beamish", *name)``."""
        prefix = ("beamish", *name)
        return [emitted for emitted in self.all if emitted.event[: len(prefix)] == prefix]

    def names(self, *name: str) -> list[str]:
        """List the last parts of their names."""
        return [emitted.event[-1] for emitted in self.of(*name)]


@pytest.fixture
def seen() -> Iterator[Recorder]:
    """Record every event of beamish."""
    recorder = Recorder()
    telemetry.attach_many(recorder, telemetry.EVENTS, recorder)
    yield recorder
    telemetry.detach(recorder)


@pytest.fixture(autouse=True)
def _nothing_is_left_attached() -> Iterator[None]:
    yield
    assert telemetry.enabled is False


@pytest.fixture
def quick_watchdog() -> Iterator[None]:
    """Make the watchdog check every 10 ms, and restore its limits after the test."""
    before = debug.system_monitor(long_schedule=0.02)
    yield
    debug.system_monitor(
        long_schedule=before.long_schedule, long_message_queue=before.long_message_queue
    )


class Ticks:
    """The clocks of the watchdog; only the test moves them, and waits until it has read them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0

    def monotonic(self) -> float:
        self.reads += 1
        return self.now

    def process_time(self) -> float:
        return 0.0

    def block(self, seconds: float) -> None:
        """Block the event loop for so many seconds of the watchdog's clock."""
        self.move(0.0)  # the watchdog sees the callback
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Move the clock, and wait until the watchdog has checked twice."""
        self.now += seconds
        expected, give_up = self.reads + 3, time.monotonic() + 30.0
        while self.reads < expected:
            assert time.monotonic() < give_up
            time.sleep(0.001)


@pytest.fixture
def ticks(quick_watchdog: None, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    """Return the watchdog's clock, which stands still until the test moves it."""
    ticks = Ticks()
    monkeypatch.setattr(awake, "time", Mock(wraps=ticks))
    return ticks


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Return a function that waits until a condition holds."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(50):
            while not condition():
                await asyncio.sleep(0.001)

    return wait
