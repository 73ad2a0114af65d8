"""Simulations that record their steps only when asked to."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from beamish import testing
from beamish._runtime.process import Process
from beamish.testing.loop import SimulatedLoop
from beamish.testing.simulation import run
from beamish.testing.trace import Trace

T = TypeVar("T")

_STEPS = os.environ.get("STEPS", "0") not in ("", "0")


class _NoTrace(Trace):
    """Says how to get the steps; recording them takes a seventh of a simulation."""

    def step(self, now: float, handle: asyncio.Handle) -> None:
        pass

    def direct(self, process: Process, name: str, args: tuple[Any, ...]) -> None:
        pass

    def story(self) -> str:
        return "the same test with STEPS=1 shows the last steps"


def simulate(main: Callable[[], Awaitable[T]], seed: int = 0, *, max_steps: int = 1_000_000) -> T:
    """Run ``main()`` as `beamish.testing.simulate` does; record its steps if ``STEPS=1``."""
    if _STEPS:
        return testing.simulate(main, seed, max_steps=max_steps)

    def make_loop() -> asyncio.AbstractEventLoop:
        return SimulatedLoop(random.Random(seed), max_steps, trace)

    trace = _NoTrace()
    return run(main, seed, trace, make_loop)
