"""Transactions that no provider describes in a readable way, or at all: parked, if that lasts."""

from dataclasses import dataclass

# A reorganisation or a lagging index makes answers contradict each other for a short time.
MIN_ANSWERS = 3
MIN_SECONDS = 60.0
# A provider whose index breaks refuses all transactions for a while: that must not park them.
MIN_REFUSED_SECONDS = 900.0


@dataclass(slots=True)
class _Entry:
    since: float
    answers: int = 0


class UnreadableTransactions:
    """Counts unusable answers in a row about each transaction.

    Kept in memory only: a restart starts the count again. Times are seconds of the caller's clock.

    Args:
        min_seconds: For how long there must be no usable answer.
    """

    def __init__(self, min_seconds: float = MIN_SECONDS) -> None:
        self._min_seconds = min_seconds
        self._entries: dict[str, _Entry] = {}

    def note(self, transaction: str, now: float) -> bool:
        """Count an unusable answer; return whether the transaction must be parked."""
        entry = self._entries.setdefault(transaction, _Entry(now))
        entry.answers += 1
        if entry.answers < MIN_ANSWERS or now - entry.since < self._min_seconds:
            return False
        self.forget(transaction)
        return True

    def forget(self, transaction: str) -> None:
        """Start again: an answer about a transaction was readable, or it has ended."""
        self._entries.pop(transaction, None)
