"""Transactions that no provider describes in a readable way: parked, when that lasts."""

from dataclasses import dataclass

# A reorganisation or a lagging index makes answers contradict each other for a short time.
MIN_ANSWERS = 3
MIN_SECONDS = 60.0


@dataclass(slots=True)
class _Entry:
    since: float
    answers: int = 0


class UnreadableTransactions:
    """Counts unreadable answers in a row about each transaction.

    Kept in memory only: a restart starts the count again. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def note(self, transaction: str, now: float) -> bool:
        """Count an unreadable answer; return whether the transaction must be parked."""
        entry = self._entries.setdefault(transaction, _Entry(now))
        entry.answers += 1
        if entry.answers < MIN_ANSWERS or now - entry.since < MIN_SECONDS:
            return False
        self.forget(transaction)
        return True

    def forget(self, transaction: str) -> None:
        """Start again: an answer about a transaction was readable, or it has ended."""
        self._entries.pop(transaction, None)
