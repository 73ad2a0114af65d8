"""Jumps of the wall clock, by which the deadlines of transactions are judged."""

import time

# Far more than the corrections of a clock that is kept in time, and than a slow machine needs
# between the reads of two clocks.
MIN_JUMP_SECONDS = 60.0


class ClockJumps:
    """Compares the wall clock with the monotonic clock, which is never set."""

    def __init__(self) -> None:
        self._offset = _offset()

    def next(self) -> float | None:
        """Return by how many seconds the wall clock was set since the last call, if it was.

        A machine that sleeps looks like a clock that is set forward: its monotonic clock stands.
        """
        before, self._offset = self._offset, _offset()
        jump = self._offset - before
        return jump if abs(jump) >= MIN_JUMP_SECONDS else None


def _offset() -> float:
    return time.time() - time.monotonic()
