"""How often a source must repeat a bad final state before it is believed."""

from transaction_tracker.domain import State


class RepeatedAnswers:
    """Counts equal answers in a row about each transaction.

    Kept in memory only: a restart starts the count again.

    Args:
        needed: Number of equal answers in a row that are believed.
    """

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._counts: dict[str, tuple[State, int]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, transaction: str, end: State) -> bool:
        """Count an answer; return whether it has been repeated often enough."""
        before, count = self._counts.get(transaction, (end, 0))
        count = count + 1 if before == end else 1
        if count >= self._needed:
            self.forget(transaction)
            return True
        self._counts[transaction] = (end, count)
        return False

    def forget(self, transaction: str) -> None:
        """Start the count of a transaction again."""
        self._counts.pop(transaction, None)
