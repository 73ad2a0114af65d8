"""Whether an endpoint works, and whether deliveries as a whole keep up."""

from dataclasses import dataclass, replace
from typing import Literal

# So many failed attempts in a row make an endpoint failing.
MAX_FAILURES = 5

BEHIND_SECONDS = 60.0
STALLED_SECONDS = 300.0

Flow = Literal[
    "flowing",
    "behind",  # the oldest pending delivery waits for a minute or longer
    "stalled",  # it waits for five minutes or longer
    "frozen",  # a finality violation stopped all deliveries
]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether attempts at an endpoint succeed.

    Unlike the breaker, it also counts answers that refuse the message: an endpoint that answers
    404 to everything can be reached, and still nothing is delivered there.

    Attributes:
        failures: Attempts in a row that delivered nothing.
        failing_since: Unix seconds of the first of them, once there are ``MAX_FAILURES``;
            ``None`` before.
        first_failed_at: Unix seconds of the first of them; ``None`` after a success.
    """

    failures: int = 0
    failing_since: float | None = None
    first_failed_at: float | None = None

    @classmethod
    def stored(cls, failing_since: float | None) -> "Health":
        """Return the health of an endpoint as it was stored before a restart."""
        if failing_since is None:
            return cls()
        return cls(MAX_FAILURES, failing_since, failing_since)

    def after(self, now: float, *, delivered: bool) -> "Health":
        """Return the health after an attempt that ended at ``now`` (Unix seconds)."""
        if delivered:
            return Health()
        first = now if self.first_failed_at is None else self.first_failed_at
        failures = self.failures + 1
        since = first if failures >= MAX_FAILURES else self.failing_since
        return replace(self, failures=failures, failing_since=since, first_failed_at=first)


def flow(age_seconds: float, *, frozen: bool) -> Flow:
    """Return whether deliveries keep up.

    Args:
        age_seconds: How long the oldest pending delivery has waited.
        frozen: Whether a finality violation stopped all deliveries.
    """
    if frozen:
        return "frozen"
    if age_seconds >= STALLED_SECONDS:
        return "stalled"
    return "behind" if age_seconds >= BEHIND_SECONDS else "flowing"
