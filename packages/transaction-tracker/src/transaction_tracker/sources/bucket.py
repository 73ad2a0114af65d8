"""A token bucket: how long a caller must wait to keep a rate."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Number of calls that can be sent now, refilled at a steady rate.

    It has no clock: each method takes the current time.

    Attributes:
        rate: Calls per second, in the long run.
        burst: Maximum number of calls that can be sent at once after a rest; 1 or more.
        tokens: Calls left at ``updated``; below zero if calls are reserved for later.
        updated: Time of ``tokens``, in seconds.
    """

    rate: float
    burst: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> "TokenBucket":
        """Return a bucket that allows a whole burst now."""
        return cls(rate, burst, burst, now)

    def reserve(self, now: float, calls: int) -> float:
        """Reserve calls, and return the number of seconds after which they can be sent.

        Reservations are served in order: later callers wait for these calls, too.
        """
        self._refill(now)
        self.tokens -= calls
        return max(0.0, -self.tokens / self.rate)

    def wait(self, now: float, calls: int) -> float:
        """Return the seconds that ``reserve`` would return, without a reservation."""
        self._refill(now)
        return max(0.0, (calls - self.tokens) / self.rate)

    def _refill(self, now: float) -> None:
        elapsed = max(0.0, now - self.updated)
        self.tokens = min(self.burst, self.tokens + elapsed * self.rate)
        self.updated = now
