"""The deadlines of transactions that are in no block."""

import heapq

from transaction_tracker.domain.tracked import Tracked


class Deadlines:
    """Transactions in no block that have a deadline, the earliest first.

    Time is passed as an argument, in Unix seconds; this class reads no clock.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._times: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._times)

    def note(self, tracked: Tracked) -> None:
        """Track the deadline of a transaction; stop if it has none, is in a block or has ended."""
        if tracked.deadline is None or tracked.ended or not tracked.unplaced:
            self.forget(tracked.id)
        elif self._times.get(tracked.id) != tracked.deadline:
            self.ask_again(tracked.id, tracked.deadline)

    def forget(self, transaction: str) -> None:
        """Stop tracking the deadline of a transaction."""
        self._times.pop(transaction, None)

    def ask_again(self, transaction: str, time: float) -> None:
        """Make a transaction due again at ``time``, because its state was uncertain."""
        self._times[transaction] = time
        heapq.heappush(self._heap, (time, transaction))

    def is_due(self, now: float) -> bool:
        """Return whether a deadline has passed."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return bool(self._heap) and self._heap[0][0] <= now

    def take_due(self, now: float, limit: int) -> list[str]:
        """Return up to ``limit`` transactions whose deadline has passed; return each only once."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            time, transaction = heapq.heappop(self._heap)
            if self._times.get(transaction) == time:
                taken.append(transaction)
        return taken
