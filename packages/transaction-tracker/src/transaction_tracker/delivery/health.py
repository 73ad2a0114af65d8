"""Health of an endpoint, and of the deliveries as a whole."""

from dataclasses import dataclass, replace
from typing import Literal

# Failed attempts in a row after which an endpoint is failing.
FAILING_THRESHOLD = 5

BEHIND_SECONDS = 60.0
STALLED_SECONDS = 300.0

Flow = Literal[
    "flowing",
    "behind",  # the oldest pending delivery has waited for ``FlowLimits.behind_seconds``
    "stalled",  # it has waited for ``FlowLimits.stalled_seconds``
    "frozen",  # a finality violation paused all deliveries
]


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """When deliveries are late.

    Attributes:
        behind_seconds: Age of the oldest pending delivery at which deliveries are behind.
        stalled_seconds: Age at which they are stalled.
    """

    behind_seconds: float = BEHIND_SECONDS
    stalled_seconds: float = STALLED_SECONDS


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """Whether attempts at an endpoint succeed.

    Unlike the breaker, it also counts responses that refuse the message: an endpoint that responds
    with 404 to every message can be reached, but no event is delivered to it.

    Attributes:
        failures: Failed attempts in a row.
        failing_since: Unix seconds of the first of these failures, once there are ``threshold``;
            ``None`` before.
        first_failed_at: Unix seconds of the first of these failures; ``None`` after a success.
        threshold: Failed attempts in a row after which the endpoint is failing.
    """

    failures: int = 0
    failing_since: float | None = None
    first_failed_at: float | None = None
    threshold: int = FAILING_THRESHOLD

    @classmethod
    def stored(
        cls, failing_since: float | None, threshold: int = FAILING_THRESHOLD
    ) -> "EndpointHealth":
        """Return the health of an endpoint as it was stored before a restart."""
        if failing_since is None:
            return cls(threshold=threshold)
        return cls(threshold, failing_since, failing_since, threshold)

    def after(self, now: float, *, delivered: bool) -> "EndpointHealth":
        """Return the health after an attempt that ended at ``now`` (Unix seconds)."""
        if delivered:
            return EndpointHealth(threshold=self.threshold)
        first = now if self.first_failed_at is None else self.first_failed_at
        failures = self.failures + 1
        since = first if failures >= self.threshold else self.failing_since
        return replace(self, failures=failures, failing_since=since, first_failed_at=first)


def flow(age_seconds: float, *, frozen: bool, limits: FlowLimits = FlowLimits()) -> Flow:
    """Return whether deliveries keep up.

    Args:
        age_seconds: Age of the oldest pending delivery.
        frozen: Whether a finality violation paused all deliveries.
        limits: When deliveries are late.
    """
    if frozen:
        return "frozen"
    if age_seconds >= limits.stalled_seconds:
        return "stalled"
    return "behind" if age_seconds >= limits.behind_seconds else "flowing"
