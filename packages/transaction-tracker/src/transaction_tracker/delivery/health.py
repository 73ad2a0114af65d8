"""Health of an endpoint, and of the deliveries as a whole."""

from dataclasses import dataclass, replace
from typing import Literal

# Failed attempts in a row after which an endpoint is failing.
FAILING_THRESHOLD = 5

BEHIND_SECONDS = 60.0
STALLED_SECONDS = 300.0

Flow = Literal[
    "flowing",
    "behind",  # the oldest pending delivery has waited for a minute or longer
    "stalled",  # it has waited for five minutes or longer
    "frozen",  # a finality violation paused all deliveries
]


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """Whether attempts at an endpoint succeed.

    Unlike the breaker, it also counts responses that refuse the message: an endpoint that responds
    with 404 to every message can be reached, but no event is delivered to it.

    Attributes:
        failures: Failed attempts in a row.
        failing_since: Unix seconds of the first of these failures, once there are
            ``FAILING_THRESHOLD``; ``None`` before.
        first_failed_at: Unix seconds of the first of these failures; ``None`` after a success.
    """

    failures: int = 0
    failing_since: float | None = None
    first_failed_at: float | None = None

    @classmethod
    def stored(cls, failing_since: float | None) -> "EndpointHealth":
        """Return the health of an endpoint as it was stored before a restart."""
        if failing_since is None:
            return cls()
        return cls(FAILING_THRESHOLD, failing_since, failing_since)

    def after(self, now: float, *, delivered: bool) -> "EndpointHealth":
        """Return the health after an attempt that ended at ``now`` (Unix seconds)."""
        if delivered:
            return EndpointHealth()
        first = now if self.first_failed_at is None else self.first_failed_at
        failures = self.failures + 1
        since = first if failures >= FAILING_THRESHOLD else self.failing_since
        return replace(self, failures=failures, failing_since=since, first_failed_at=first)


def flow(age_seconds: float, *, frozen: bool) -> Flow:
    """Return whether deliveries keep up.

    Args:
        age_seconds: Age of the oldest pending delivery.
        frozen: Whether a finality violation paused all deliveries.
    """
    if frozen:
        return "frozen"
    if age_seconds >= STALLED_SECONDS:
        return "stalled"
    return "behind" if age_seconds >= BEHIND_SECONDS else "flowing"
