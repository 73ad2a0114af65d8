"""How long to leave a source alone that gives no answer."""

import logging
import random

from transaction_tracker.sources import NotYetError, RateLimitedError, SourceError

SHORTEST_DELAY = 0.1
LONGEST_DELAY = 30.0
LONGEST_RETRY_AFTER = 300.0  # a source that says more is mistaken, or means ill
_JITTER = 0.1

logger = logging.getLogger("transaction_tracker")


class Outage:
    """Failures of a source in a row: each makes the next question come later."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def lasts(self) -> bool:
        """Whether the last question was not answered."""
        return self._failures > 0

    def failed(self, error: SourceError, interval: float) -> float:
        """Note a failure and give the seconds to wait; ``interval`` is the usual pause."""
        self._failures += 1
        # What is not there yet will be soon: nothing is gained by staying away for longer.
        doublings = 0 if isinstance(error, NotYetError) else self._failures - 1
        delay = min(max(interval, SHORTEST_DELAY) * 2.0**doublings, LONGEST_DELAY)
        # Programs that lost the same source must not all come back at once.
        delay *= 1 + random.uniform(0, _JITTER)  # noqa: S311
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            delay = max(delay, min(error.retry_after, LONGEST_RETRY_AFTER))
        self._log(error, delay)
        return delay

    def over(self) -> None:
        """Note an answer."""
        if self._failures > 1:
            logger.info("the source answers again, after %s failures", self._failures)
        self._failures = 0

    def _log(self, error: SourceError, delay: float) -> None:
        # One failure is an everyday thing, and the tenth in a row says what the second did.
        expected = self._failures == 1 or isinstance(error, NotYetError)
        level = logging.WARNING if self._failures == 2 else logging.DEBUG
        level = logging.INFO if expected else level
        logger.log(level, "no answer: %s; asking again in %.1f s", error, delay)
