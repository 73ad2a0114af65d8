"""When a delivery that failed is tried again."""

import random

from transaction_tracker.store.rescheduling import MAX_DELAY_SECONDS

# Seconds after the first attempt, after the second, and so on.
DELAYS = (5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
LONGEST_RETRY_AFTER = 86_400.0
# Of the delay, at most: a thousand deliveries that failed together do not come back together.
_SPREAD = 0.2


def next_delay(failures: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Say how long to wait before the next attempt.

    Args:
        failures: Attempts that failed so far, at least one.
        jitter: A random number from 0 to 1, which spreads what failed together.
        retry_after: Seconds that the receiver asked for; never less than the schedule's own,
            at most a day.

    Returns:
        Seconds; ``None`` when there is no next attempt.
    """
    if failures > len(DELAYS):
        return None
    asked = min(retry_after or 0.0, LONGEST_RETRY_AFTER)
    return min(max(DELAYS[failures - 1], asked) * (1.0 + _SPREAD * jitter), MAX_DELAY_SECONDS)


def jitter() -> float:
    """Return a random number from 0 to 1."""
    return random.random()  # noqa: S311 - nobody gains by guessing it
