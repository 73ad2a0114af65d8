"""The watchdog's clock, which does not count the time for which the program was suspended."""

import time

_MAX_GAP_SECONDS = 1.0


class AwakeClock:
    """Seconds for which the program has run, as far as the watchdog's thread can tell.

    A gap between two ticks of more than a second has one of two causes. A callback that holds the
    GIL also keeps the watchdog's thread from running, and uses CPU time. A suspend (SIGSTOP, a
    frozen container) uses none, and no callback is to blame for it. So of a longer gap, only the
    CPU time of the program counts.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ticked_at, self._cpu_seconds = time.monotonic(), time.process_time()

    def tick(self) -> None:
        """Count the time since the last tick."""
        now, cpu_seconds = time.monotonic(), time.process_time()
        gap = now - self._ticked_at
        used = cpu_seconds - self._cpu_seconds
        self.seconds += gap if gap <= _MAX_GAP_SECONDS else min(gap, used)
        self._ticked_at, self._cpu_seconds = now, cpu_seconds
