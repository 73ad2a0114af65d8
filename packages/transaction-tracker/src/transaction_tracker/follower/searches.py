"""Searches for the block that used a nonce: repeated with back-off, and given up in the end."""

from dataclasses import dataclass

FIRST_DELAY_SECONDS = 15.0
MAX_DELAY_SECONDS = 300.0
# Old state that a provider limits for so long is not for sale to us.
GIVE_UP_SECONDS = 900.0


@dataclass(slots=True)
class _Failed:
    since: float
    next_at: float
    delay: float
    why: str


class Searches:
    """When to search again after a provider has limited a search, and when no more.

    Kept in memory only. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def blocked(self, transaction: str, now: float) -> str | None:
        """Return why there is no search for a transaction now; ``None`` when there can be one."""
        failed = self._failed.get(transaction)
        return None if failed is None or now >= failed.next_at else failed.why

    def failed(self, transaction: str, why: str, now: float) -> bool:
        """Note a search without an answer; return whether searching is given up."""
        before = self._failed.get(transaction)
        since = now if before is None else before.since
        delay = FIRST_DELAY_SECONDS if before is None else min(2 * before.delay, MAX_DELAY_SECONDS)
        self._failed[transaction] = _Failed(since, now + delay, delay, why)
        return now - since >= GIVE_UP_SECONDS

    def forget(self, transaction: str) -> None:
        """Search for a transaction as if for the first time."""
        self._failed.pop(transaction, None)
