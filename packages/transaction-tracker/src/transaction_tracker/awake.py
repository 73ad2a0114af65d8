"""Time limits that do not count the time for which the program was suspended."""

import asyncio
from collections.abc import Callable

_STEP_SECONDS = 1.0
# A timer that fires later than this is one of a program that was stopped, or of a busy machine.
_MAX_DELAY_SECONDS = 1.0


class AwakeTimer:
    """Calls a function once the event loop has run for some seconds.

    After a suspend (SIGSTOP, a frozen container or machine) all timers are due at once, before
    the answers that have come meanwhile are read. A limit of this kind leaves time for them: it
    is counted in small steps, and a step that ends late does not count.

    Args:
        seconds: Seconds until the call.
        callback: What is called, once.
    """

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._callback = callback
        self._start_step()

    def cancel(self) -> None:
        """Do not call the function."""
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
