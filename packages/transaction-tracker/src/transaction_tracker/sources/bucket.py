"""A token bucket: how long a caller waits so that a rate is kept."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Calls that may go now, refilled at a steady rate.

    A value without a clock: whoever asks says what time it is.

    Attributes:
        rate: Calls per second, in the long run.
        burst: Calls that may go at once after a rest; 1 or more.
        tokens: Calls left at ``updated``; below zero, calls that are promised already.
        updated: When ``tokens`` was counted, in seconds.
    """

    rate: float
    burst: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> "TokenBucket":
        """Make a bucket from which a whole burst may be taken."""
        return cls(rate, burst, burst, now)

    def reserve(self, now: float, calls: int) -> float:
        """Take the tokens of some calls, and give the seconds after which they may go.

        Whoever comes first is served first: later callers wait for these calls, too.
        """
        self._refill(now)
        self.tokens -= calls
        return max(0.0, -self.tokens / self.rate)

    def wait(self, now: float, calls: int) -> float:
        """Give the seconds that ``reserve`` would, and take nothing."""
        self._refill(now)
        return max(0.0, (calls - self.tokens) / self.rate)

    def _refill(self, now: float) -> None:
        elapsed = max(0.0, now - self.updated)
        self.tokens = min(self.burst, self.tokens + elapsed * self.rate)
        self.updated = now
