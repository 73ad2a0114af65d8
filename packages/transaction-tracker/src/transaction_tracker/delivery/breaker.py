"""The circuit breaker of an endpoint: after failures in a row, one probe at a time."""

from dataclasses import dataclass, replace

from beamish import Backoff

PAUSES = Backoff(initial=5.0, maximum=300.0, jitter=0.0)
MAX_REQUESTED_PAUSE_SECONDS = 3_600.0
# Maximum share of the pause that is added to it at random.
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Breaker:
    """Circuit breaker of one endpoint. Times are seconds of any one clock.

    Attributes:
        threshold: Failures in a row that open the breaker.
        failures: Failures since the last response.
        open_until: End of the pause; ``None`` while the breaker is closed. No attempt starts
            before this time, and one probe at a time after it.
    """

    threshold: int = 5
    failures: int = 0
    open_until: float | None = None

    def answered(self) -> "Breaker":
        """Return the closed breaker after a response."""
        return replace(self, failures=0, open_until=None)

    @classmethod
    def probing(cls, now: float) -> "Breaker":
        """Return the breaker of an endpoint that was failing before a restart: one probe is due."""
        breaker = cls()
        return replace(breaker, failures=breaker.threshold, open_until=now)

    def probe_now(self, now: float) -> "Breaker":
        """Return the breaker with its pause ended, if it is open: the next attempt is a probe."""
        return self if self.open_until is None else replace(self, open_until=now)

    def failed(self, now: float, asked: float | None = None, jitter: float = 0.0) -> "Breaker":
        """Return the breaker after a failure.

        It opens after ``threshold`` failures in a row, or if the endpoint asked for a pause.

        Args:
            now: Current time.
            asked: Seconds that the endpoint asked to wait (``Retry-After``).
            jitter: Random number from 0 to 1, which spreads the probes of endpoints that failed
                together.
        """
        if self.open_until is not None and now < self.open_until and asked is None:
            return self  # the attempt started before the pause: the failure is not new
        failures = self.failures + 1
        pause = self._pause(failures, asked) * (1.0 + _JITTER * jitter)
        return replace(self, failures=failures, open_until=now + pause if pause else None)

    def capacity(self, now: float, in_flight: int, limit: int) -> int:
        """Return how many attempts can start now.

        Args:
            now: Current time.
            in_flight: Attempts in flight.
            limit: Maximum number of attempts in flight.
        """
        if self.open_until is None:
            return max(0, limit - in_flight)
        return 1 if now >= self.open_until and not in_flight else 0

    def _pause(self, failures: int, asked: float | None) -> float:
        requested = min(asked or 0.0, MAX_REQUESTED_PAUSE_SECONDS)
        if failures < self.threshold:
            return requested
        return max(requested, PAUSES.delay(failures - self.threshold + 1))
