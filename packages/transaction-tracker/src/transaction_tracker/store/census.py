"""Count the transactions as they change, without reading all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping

from transaction_tracker.domain import TERMINAL, Event, State, Tracked


class TransactionCounts:
    """The number of transactions in each state, and of parked ones.

    Part of `OpenTransactions`. Final transactions are counted once, when the database is opened.
    """

    def __init__(self) -> None:
        self._open: Counter[State] = Counter()
        self._final: Counter[State] = Counter()
        self.parked = 0

    @property
    def by_state(self) -> dict[State, int]:
        """The number of transactions in each state; states without any are left out."""
        return dict(+(self._open + self._final))

    def clear(self) -> None:
        """Set all numbers to 0."""
        self._open.clear()
        self._final.clear()
        self.parked = 0

    def add_final(self, counts: Mapping[State, int]) -> None:
        """Add final transactions; negative numbers remove some."""
        self._final.update(counts)

    def move(self, before: Tracked | None, after: Tracked | None) -> None:
        """Count an open transaction that was added, changed or became final."""
        if before is not None:
            self._open[before.state] -= 1
            self.parked -= before.error is not None
        if after is not None:
            self._open[after.state] += 1
            self.parked += after.error is not None

    def count_events(self, events: Iterable[Event]) -> None:
        """Count the transactions that events make final or reopen."""
        moves = Counter((event.previous, event.tracked.state) for event in events)
        for (previous, state), count in moves.items():
            self._final[previous] -= count * (previous in TERMINAL)
            self._final[state] += count * (state in TERMINAL)
