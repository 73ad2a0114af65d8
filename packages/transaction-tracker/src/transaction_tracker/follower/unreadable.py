"""Transactions that no provider returns readable data about: parked if that lasts."""

from dataclasses import dataclass

# During a reorganisation, or while an index lags, answers contradict each other for a short time.
MIN_ANSWERS = 3
MIN_SECONDS = 60.0
# A provider whose index is broken for a while refuses to answer about all transactions. That must
# not park them.
MIN_REFUSED_SECONDS = 900.0


@dataclass(slots=True)
class _UnusableAnswers:
    since: float
    answers: int = 0


class UnreadableTransactions:
    """Counts unusable answers in a row about each transaction.

    Kept in memory only: a restart starts the count again. Times are seconds of the caller's clock.

    Args:
        min_seconds: Seconds without a usable answer before a transaction is parked.
    """

    def __init__(self, min_seconds: float = MIN_SECONDS) -> None:
        self._min_seconds = min_seconds
        self._counts: dict[str, _UnusableAnswers] = {}

    def note(self, transaction: str, now: float) -> bool:
        """Count an unusable answer; return whether the transaction must be parked."""
        unusable = self._counts.setdefault(transaction, _UnusableAnswers(now))
        unusable.answers += 1
        if unusable.answers < MIN_ANSWERS or now - unusable.since < self._min_seconds:
            return False
        self.forget(transaction)
        return True

    def forget(self, transaction: str) -> None:
        """Start the count of a transaction again, after a readable answer or its end."""
        self._counts.pop(transaction, None)
