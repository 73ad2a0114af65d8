"""Back-off: how long to wait before the next request to a source that fails."""

import logging
import random

from beamish import Backoff
from transaction_tracker.sources import NotYetError, RateLimitedError, SourceError

MIN_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 30.0
# A source that asks for more is misconfigured or malicious.
MAX_RETRY_AFTER_SECONDS = 300.0
_JITTER = 0.1

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Outage:
    """Failures of a source in a row: each doubles the delay before the next request."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def lasts(self) -> bool:
        """Whether the last request failed."""
        return self._failures > 0

    def failed(self, error: SourceError, interval: float) -> float:
        """Record a failure.

        Args:
            error: The error.
            interval: Seconds between requests while the source responds.

        Returns:
            Seconds to wait before the next request.
        """
        self._failures += 1
        # Data that is not available yet will be soon: back-off would only delay it.
        failures = 1 if isinstance(error, NotYetError) else self._failures
        initial = max(interval, MIN_DELAY_SECONDS)
        delay = Backoff(initial, maximum=MAX_DELAY_SECONDS, jitter=0.0).delay(failures)
        # Without jitter, all programs that lost the same source would retry in the same moment.
        delay *= 1 + random.uniform(0, _JITTER)  # noqa: S311
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            delay = max(delay, min(error.retry_after, MAX_RETRY_AFTER_SECONDS))
        self._log(error, delay)
        return delay

    def over(self) -> None:
        """Record that the source responded."""
        if self._failures > 1:
            logger.info("the source responds again after %s failures", self._failures)
        self._failures = 0

    def _log(self, error: SourceError, delay: float) -> None:
        # A single failure is normal. The second in a row is a warning; later ones repeat it.
        expected = self._failures == 1 or isinstance(error, NotYetError)
        level = logging.WARNING if self._failures == 2 else logging.DEBUG
        level = logging.INFO if expected else level
        logger.log(level, "the source does not respond: %s; retrying in %.1f s", error, delay)
