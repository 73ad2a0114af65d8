"""Back-off of failed deliveries."""

import random

from transaction_tracker.store.rescheduling import MAX_DELAY_SECONDS

# Seconds after the first failed attempt, after the second, and so on.
DELAYS = (5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
MAX_RETRY_AFTER_SECONDS = 86_400.0
# Maximum share of the delay that is added to it at random, so that thousands of deliveries that
# failed together are not retried together.
_JITTER = 0.2


def next_delay(failures: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Return the seconds until the next attempt; ``None`` if there is no next attempt.

    Args:
        failures: Attempts that failed so far, at least 1.
        jitter: Random number from 0 to 1, which spreads retries in time.
        retry_after: Seconds that the receiver asked to wait. It can make the delay longer, up to
            a day, but not shorter.
    """
    if failures > len(DELAYS):
        return None
    asked = min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    return min(max(DELAYS[failures - 1], asked) * (1.0 + _JITTER * jitter), MAX_DELAY_SECONDS)


def jitter() -> float:
    """Return a random number from 0 to 1."""
    return random.random()  # noqa: S311 - not a secret
