"""Whether an endpoint is worth an attempt: after failures in a row, one probe at a time."""

from dataclasses import dataclass, replace

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
LONGEST_ASKED_PAUSE = 3_600.0
# Of the pause, at most.
_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of an endpoint's last answers. Times are the caller's own clock.

    Attributes:
        threshold: Failures in a row that open it.
        failures: Failures since the last answer.
        open_until: While it is open, nothing goes through until then, and one probe after.
    """

    threshold: int = 5
    failures: int = 0
    open_until: float | None = None

    def answered(self) -> "Breaker":
        """Let everything through again."""
        return replace(self, failures=0, open_until=None)

    @classmethod
    def probing(cls, now: float) -> "Breaker":
        """Return the breaker of an endpoint that failed before a restart: it sends one probe."""
        breaker = cls()
        return replace(breaker, failures=breaker.threshold, open_until=now)

    def probe_now(self, now: float) -> "Breaker":
        """End the pause, if there is one: the next attempt is a probe."""
        return self if self.open_until is None else replace(self, open_until=now)

    def failed(self, now: float, asked: float | None = None, jitter: float = 0.0) -> "Breaker":
        """Count a failure; pause when there are too many, or when the endpoint asked for it.

        Args:
            now: The time.
            asked: Seconds for which the endpoint wants to hear nothing.
            jitter: A random number from 0 to 1, which spreads the probes of endpoints that
                failed together.
        """
        if self.open_until is not None and now < self.open_until and asked is None:
            return self  # an attempt from before: it says nothing new
        failures = self.failures + 1
        pause = self._pause(failures, asked) * (1.0 + _SPREAD * jitter)
        return replace(self, failures=failures, open_until=now + pause if pause else None)

    def room(self, now: float, under_way: int, limit: int) -> int:
        """Say how many attempts more may begin.

        Args:
            now: The time.
            under_way: Attempts that have not ended.
            limit: How many there may be at once.
        """
        if self.open_until is None:
            return max(0, limit - under_way)
        return 1 if now >= self.open_until and not under_way else 0

    def _pause(self, failures: int, asked: float | None) -> float:
        wanted = min(asked or 0.0, LONGEST_ASKED_PAUSE)
        beyond = failures - self.threshold
        if beyond < 0:
            return wanted
        return max(wanted, min(FIRST_PAUSE * 2.0 ** min(beyond, 16), LONGEST_PAUSE))
