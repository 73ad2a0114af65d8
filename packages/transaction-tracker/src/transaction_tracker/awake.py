"""The event loop's clock; clocks and time limits that do not count suspends of the program.

While it is suspended (SIGSTOP, a frozen container or machine), it observes nothing. A limit on
what it observes, such as "no block for 60 s", must not end then; a limit on the world outside,
such as the pause that a server has asked for, can.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_STEP_SECONDS = 1.0
# A timer fires this late only if the program was suspended, or the machine or the loop was busy.
_MAX_DELAY_SECONDS = 1.0

MAX_GAP_SECONDS = 10.0
"""Most seconds that an `AwakeClock` counts between two reads."""


def loop_time() -> float:
    """Return the seconds of the running event loop's clock."""
    return asyncio.get_running_loop().time()


class AwakeClock:
    """Seconds for which the program has run, from any start.

    The clock must be read more often than every `MAX_GAP_SECONDS`, because it does not count more
    between two reads: a longer time is a suspend.
    """

    def __init__(self) -> None:
        self._seconds = self._read_at = _now()

    def __call__(self) -> float:
        """Return the seconds, and count those since the last call."""
        now = _now()
        self._seconds += min(now - self._read_at, MAX_GAP_SECONDS)
        self._read_at = now
        return self._seconds


def _now() -> float:
    return time.monotonic()  # looked up at each call: a simulation replaces the system's clock


class AwakeTimer:
    """Call a function once the event loop has run for a number of seconds.

    After a suspend (SIGSTOP, a frozen container or machine), all timers are due at once, before
    the answers that have arrived meanwhile are read. This timer leaves the loop time to read
    them: it counts in small steps, and a step that ends late does not count.

    Args:
        seconds: Seconds until the call.
        callback: Function to call, once.
    """

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._callback = callback
        self._start_step()

    def cancel(self) -> None:
        """Cancel the timer; the function is not called."""
        self._handle.cancel()

    def _start_step(self) -> None:
        step = min(_STEP_SECONDS, self._left)
        self._due = self._loop.time() + step
        self._handle = self._loop.call_at(self._due, self._end_step, step)

    def _end_step(self, step: float) -> None:
        if self._loop.time() - self._due <= _MAX_DELAY_SECONDS:
            self._left -= step
        if self._left > 0:
            self._start_step()
        else:
            self._callback()


@asynccontextmanager
async def awake_timeout(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Limit the time that a block takes, as ``asyncio.timeout``, without the time of suspends.

    Args:
        seconds: Maximum duration of the block.

    Raises:
        TimeoutError: The block has taken longer, and was cancelled.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = AwakeTimer(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield limit
        finally:
            timer.cancel()
