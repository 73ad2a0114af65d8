"""The clock of a test's event loop, for limits that must be reached without waiting for them."""

import asyncio


class Clock:
    """Puts the event loop's time forward.

    A test of a limit gives it far more seconds than any machine needs, waits until the program
    has come to where the limit counts, and then lets the time pass at once. So a slow machine
    never reaches a limit by itself, and a fast one does not wait.

    Args:
        loop: The loop of the test.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real = loop.time
        self._ahead = 0.0
        loop.time = self.now  # type: ignore[method-assign]

    def now(self) -> float:
        """Return the loop's time in seconds."""
        return self._real() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let this time pass: timers that are due by then fire in the loop's next round."""
        self._ahead += seconds
