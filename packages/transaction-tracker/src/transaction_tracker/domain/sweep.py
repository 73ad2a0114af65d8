"""Choose the transactions to ask the source about, because following the head can miss changes."""

import heapq
from collections import deque

_FIRST_DELAY_SECONDS = 1.0
_MAX_DELAY_SECONDS = 300.0


class _Turn(list[str]):
    """The transactions to ask about at one time, and the delay until their next time.

    Those that are scheduled together share one turn: an object for each would take 100 bytes.
    """

    __slots__ = ("delay", "time")

    def __init__(self, time: float, delay: float) -> None:
        super().__init__()
        self.time = time
        self.delay = delay

    def __lt__(self, other: "_Turn") -> bool:  # type: ignore[override] # the order of the heap
        return self.time < other.time


# The turn of all transactions that have not been asked about yet. It is not in the heap.
_AT_ONCE = _Turn(0.0, 0.0)


class Sweep:
    """Open transactions to ask the source about: new ones at once, old ones less and less often.

    Time is passed as an argument; this class reads no clock.

    Args:
        first_delay: Seconds between the first and the second question about a transaction; each
            later delay is twice the one before.
        max_delay: Maximum seconds between two questions.
    """

    def __init__(
        self, first_delay: float = _FIRST_DELAY_SECONDS, max_delay: float = _MAX_DELAY_SECONDS
    ) -> None:
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._fresh: deque[str] = deque()
        self._heap: list[_Turn] = []
        # The newest turn of each delay, while it is in the heap.
        self._newest: dict[float, _Turn] = {}
        # The valid turn of each transaction; in other turns, it is outdated and is skipped.
        self._turns: dict[str, _Turn] = {}

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._turns

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def has_fresh(self) -> bool:
        """Whether a new transaction has not been asked about yet."""
        return bool(self._fresh)

    def add_fresh(self, transaction: str) -> None:
        """Schedule a transaction for the next call of `take_fresh`."""
        if self._turns.get(transaction) is _AT_ONCE:
            return
        self._turns[transaction] = _AT_ONCE
        self._fresh.append(transaction)

    def add(self, transaction: str, now: float) -> None:
        """Schedule a transaction at ``now``, unless it is scheduled already."""
        if transaction not in self._turns:
            self._schedule(transaction, now, self._first_delay)

    def again(self, transaction: str, now: float) -> None:
        """Restart the delays of a transaction, because it has changed."""
        self._schedule(transaction, now + self._first_delay, self._first_delay)

    def age(self, now: float) -> float:
        """Return for how many seconds the earliest due transaction has been due; 0 if none is."""
        return max(0.0, now - self._heap[0].time) if self._heap else 0.0

    def forget(self, transaction: str) -> None:
        """Remove a transaction; no effect if it is not scheduled."""
        self._turns.pop(transaction, None)

    def take_fresh(self, now: float, limit: int) -> list[str]:
        """Return up to ``limit`` new transactions, and schedule them again."""
        taken: list[str] = []
        while self._fresh and len(taken) < limit:
            transaction = self._fresh.popleft()
            if self._turns.get(transaction) is _AT_ONCE:
                taken.append(transaction)
                self._schedule(transaction, now + self._first_delay, self._next(self._first_delay))
        return taken

    def take_due(self, now: float, limit: int) -> list[str]:
        """Return up to ``limit`` due transactions, the earliest first, and schedule them again."""
        taken: list[str] = []
        while self._heap and self._heap[0].time <= now and len(taken) < limit:
            turn = self._heap[0]
            transaction = turn.pop()
            if not turn:
                self._end(turn)
            if self._turns.get(transaction) is turn:
                taken.append(transaction)
                self._schedule(transaction, now + turn.delay, self._next(turn.delay))
        return taken

    def _next(self, delay: float) -> float:
        return min(2 * delay, self._max_delay)

    def _schedule(self, transaction: str, time: float, next_delay: float) -> None:
        turn = self._newest.get(next_delay)
        if turn is None or turn.time != time:
            turn = self._newest[next_delay] = _Turn(time, next_delay)
            heapq.heappush(self._heap, turn)
        self._turns[transaction] = turn
        turn.append(transaction)

    def _end(self, turn: _Turn) -> None:
        """Remove the earliest turn, which has no transactions left."""
        heapq.heappop(self._heap)
        if self._newest.get(turn.delay) is turn:
            del self._newest[turn.delay]
