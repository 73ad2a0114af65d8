"""Which transactions to ask the source about, because following the head can miss things."""

import heapq
from collections import deque

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0

# When to ask about whom, and how long to wait after that.
_Turn = tuple[float, str, float]
_AT_ONCE: _Turn = (0.0, "", 0.0)


class Sweep:
    """Open transactions that are in no block: the new ones at once, the old ones ever less often.

    Time comes in as an argument: this is a value, not a clock.

    Args:
        first_delay: Seconds from the first question about one to the second; from there on each
            pause is twice the one before.
        longest_delay: Seconds between two questions, at most.
    """

    def __init__(
        self, first_delay: float = FIRST_DELAY, longest_delay: float = LONGEST_DELAY
    ) -> None:
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._fresh: deque[str] = deque()
        self._heap: list[_Turn] = []
        # The one turn that counts for each; the heap may hold others that do not any more.
        self._turns: dict[str, _Turn] = {}

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._turns

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def has_fresh(self) -> bool:
        """Whether there are new ones that nobody has asked about."""
        return bool(self._fresh)

    def add_fresh(self, transaction: str) -> None:
        """Ask about this one as soon as possible."""
        if self._turns.get(transaction) is _AT_ONCE:
            return
        self._turns[transaction] = _AT_ONCE
        self._fresh.append(transaction)

    def add(self, transaction: str, now: float) -> None:
        """Ask about this one in its turn, unless its turn is known already."""
        if transaction not in self._turns:
            self._schedule(transaction, now, self._first_delay)

    def again(self, transaction: str, now: float) -> None:
        """Ask about this one as often as about a new one: there was news of it."""
        self._schedule(transaction, now + self._first_delay, self._first_delay)

    def age(self, now: float) -> float:
        """Say for how many seconds the one that waits longest has been due."""
        return max(0.0, now - self._heap[0][0]) if self._heap else 0.0

    def forget(self, transaction: str) -> None:
        """Ask about this one no more."""
        self._turns.pop(transaction, None)

    def take_fresh(self, now: float, limit: int) -> list[str]:
        """Give up to ``limit`` new ones, and note when to ask about them again."""
        taken: list[str] = []
        while self._fresh and len(taken) < limit:
            transaction = self._fresh.popleft()
            if self._turns.get(transaction) is _AT_ONCE:
                taken.append(transaction)
                self._schedule(transaction, now + self._first_delay, self._next(self._first_delay))
        return taken

    def take_due(self, now: float, limit: int) -> list[str]:
        """Give up to ``limit`` whose time has come, the longest waiting first, and go on."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            turn = heapq.heappop(self._heap)
            _, transaction, delay = turn
            if self._turns.get(transaction) is turn:
                taken.append(transaction)
                self._schedule(transaction, now + delay, self._next(delay))
        return taken

    def _next(self, delay: float) -> float:
        return min(2 * delay, self._longest_delay)

    def _schedule(self, transaction: str, time: float, next_delay: float) -> None:
        turn = (time, transaction, next_delay)
        self._turns[transaction] = turn
        heapq.heappush(self._heap, turn)
