"""The runtime of a simulated event loop, in which the seed decides the order."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any

from beamish._runtime.runtime import Runnable, Runtime
from beamish._runtime.timers import Timer, Timers
from beamish.testing.trace import Trace


class SimulatedRuntime(Runtime):
    """A runtime whose processes run in any order, one message per turn.

    Its budget is always used up, so that each call that could run on the caller's stack, and each
    function that may give way to others, asks `refill_budget`.

    Args:
        loop: The simulated event loop.
        random: Makes every choice.
        trace: Records calls that run on the caller's stack.
    """

    __slots__ = ("_directness", "_random", "_trace")

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, trace: Trace) -> None:
        super().__init__(loop)
        self.timers: SimulatedTimers = SimulatedTimers(loop, self.context)
        self._random = random
        self._trace = trace
        # The share of direct calls differs between seeds, so that long runs of both kinds occur.
        self._directness = random.random()

    def refill_budget(self) -> bool:
        """Return whether the seed lets the running code continue without yielding to the loop."""
        return self.interrupted is None and self._random.random() < self._directness

    def allows_direct_call(
        self, process: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> bool:
        """Return whether the seed lets this call run on its caller's stack, and record it."""
        if not self.refill_budget():
            return False
        self._trace.direct(process, name, (*args, *(kwargs or {}).values()))
        return True

    def begin_step(self) -> None:
        """Begin a step of the loop, which is a time slice of its own."""
        self.interrupted: asyncio.Task[Any] | None = None
        self.budget = 0

    def _begin_slice(self) -> None:
        self.begin_step()

    def schedule(self, process: Runnable) -> None:
        """Schedule a turn of ``process``; the loop picks among the scheduled processes."""
        if self.check_loop():
            self.loop.call_soon(process.turn, context=self.context)


class SimulatedTimers(Timers):
    """Timers of the loop itself, each of which can be a little late."""

    __slots__ = ("_handles",)

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        super().__init__(loop, context)
        self._handles: dict[Timer, asyncio.TimerHandle] = {}

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds`` seconds."""
        timer = Timer(self._loop.time() + seconds, callback)
        handle = self._loop.call_at(timer.when, self._fire_one, timer, context=self._context)
        self._handles[timer] = handle
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Cancel ``timer``; return the seconds it had left, or ``None`` if it has fired."""
        left = self.left(timer)
        if left is not None:
            timer.callback = None
            self._handles.pop(timer).cancel()
        return left

    def _fire_one(self, timer: Timer) -> None:
        del self._handles[timer]
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()
