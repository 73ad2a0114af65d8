"""The clock of a test's event loop, for tests of timeouts that do not wait for them."""

import asyncio
from collections.abc import Callable

# More than any timeout of the program, so a condition that does not hold by then never will.
MAX_AWAKE_SECONDS = 100_000.0


class Clock:
    """Advances the time of the event loop.

    A test of a timeout sets it to far more seconds than any machine needs, waits until the program
    waits for the timeout, and then advances the time. So a slow machine never reaches a timeout by
    accident, and a fast one does not wait.

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
        """Advance the time: timers that are due by then fire in the next round of the loop."""
        self._ahead += seconds

    async def advance_awake(self, until: Callable[[], bool]) -> None:
        """Advance the time in short steps until a condition holds, as for a program that runs.

        A long step looks like a suspend, of which an `AwakeTimer` counts nothing.

        Raises:
            AssertionError: The condition does not hold after ``MAX_AWAKE_SECONDS``.
        """
        end = self._ahead + MAX_AWAKE_SECONDS
        while not until():
            assert self._ahead < end, f"not within {MAX_AWAKE_SECONDS:,.0f} s of the test's clock"
            self.advance(0.5)
            await asyncio.sleep(0)
