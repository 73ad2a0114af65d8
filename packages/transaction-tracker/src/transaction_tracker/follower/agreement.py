"""How often the same bad news must come before it is believed."""

from transaction_tracker.domain import State


class Agreement:
    """Counts equal answers in a row about each transaction.

    Kept in memory only: after a restart the count begins anew.

    Args:
        needed: So many equal answers are believed.
    """

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._heard: dict[str, tuple[State, int]] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def hears(self, transaction: str, end: State) -> bool:
        """Note an answer, and say whether it has come often enough."""
        before, count = self._heard.get(transaction, (end, 0))
        count = count + 1 if before == end else 1
        if count >= self._needed:
            self.forget(transaction)
            return True
        self._heard[transaction] = (end, count)
        return False

    def forget(self, transaction: str) -> None:
        """Begin anew: another answer has come."""
        self._heard.pop(transaction, None)
