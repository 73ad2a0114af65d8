"""Time limits that do not count the time for which the program was suspended."""

import asyncio
from collections.abc import Callable

_STEP_SECONDS = 1.0
# A timer fires this late only if the program was suspended, or the machine or the loop was busy.
_MAX_DELAY_SECONDS = 1.0


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
