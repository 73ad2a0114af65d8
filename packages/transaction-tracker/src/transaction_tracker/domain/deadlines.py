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
        # For those that were due and are to be judged again: the deadline, and after how long.
        self._retries: dict[str, tuple[float, float]] = {}
        self._now = float("-inf")

    def __len__(self) -> int:
        return len(self._times)

    def note(self, tracked: Tracked) -> None:
        """Track the deadline of a transaction; stop if it has none, is in a block or has ended."""
        if tracked.deadline is None or tracked.ended or not tracked.unplaced:
            self.forget(tracked.id)
        elif self._times.get(tracked.id) != tracked.deadline:
            self._retries.pop(tracked.id, None)
            self._set(tracked.id, tracked.deadline)

    def forget(self, transaction: str) -> None:
        """Stop tracking the deadline of a transaction."""
        self._times.pop(transaction, None)
        self._retries.pop(transaction, None)

    def ask_again(self, transaction: str, now: float, seconds: float) -> None:
        """Make a transaction due again in some seconds, because its state was uncertain."""
        deadline, _ = self._retries.get(transaction) or (self._times.get(transaction, now), 0.0)
        self._retries[transaction] = deadline, seconds
        self._set(transaction, now + seconds)

    def _set(self, transaction: str, time: float) -> None:
        self._times[transaction] = time
        heapq.heappush(self._heap, (time, transaction))

    def _read(self, now: float) -> None:
        """Count the retries from now if the clock was set back: they could be years away."""
        if now < self._now:
            for transaction, (deadline, seconds) in self._retries.items():
                self._set(transaction, max(deadline, now + seconds))
        self._now = now

    def is_due(self, now: float) -> bool:
        """Return whether a deadline has passed."""
        self._read(now)
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return bool(self._heap) and self._heap[0][0] <= now

    def take_due(self, now: float, limit: int) -> list[str]:
        """Return up to ``limit`` transactions whose deadline has passed; return each only once."""
        self._read(now)
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            time, transaction = heapq.heappop(self._heap)
            if self._times.get(transaction) == time:
                taken.append(transaction)
        return taken
