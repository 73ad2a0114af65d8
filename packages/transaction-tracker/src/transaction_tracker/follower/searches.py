"""Searches for the block that used a nonce: retried with back-off, and given up in the end."""

from dataclasses import dataclass

from beamish import Backoff

BACKOFF = Backoff(initial=15.0, maximum=300.0, jitter=0.0)
# A provider that limits requests for old state for this long does not serve it on our plan.
GIVE_UP_SECONDS = 900.0


@dataclass(slots=True)
class _FailedSearch:
    since: float
    next_at: float
    failures: int
    why: str


class Searches:
    """Decides when to retry a search that a provider has limited, and when to give up.

    Kept in memory only. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._failed: dict[str, _FailedSearch] = {}

    def blocked(self, transaction: str, now: float) -> str | None:
        """Return why a transaction cannot be searched for now; ``None`` if it can."""
        failed = self._failed.get(transaction)
        return None if failed is None or now >= failed.next_at else failed.why

    def failed(self, transaction: str, why: str, now: float) -> bool:
        """Record a limited search; return whether to give up."""
        before = self._failed.get(transaction)
        since = now if before is None else before.since
        failures = 1 if before is None else before.failures + 1
        next_at = now + BACKOFF.delay(failures)
        self._failed[transaction] = _FailedSearch(since, next_at, failures, why)
        return now - since >= GIVE_UP_SECONDS

    def forget(self, transaction: str) -> None:
        """Forget the failed searches for a transaction."""
        self._failed.pop(transaction, None)
