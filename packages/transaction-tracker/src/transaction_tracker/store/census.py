"""Count the transactions as they change, without reading all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from transaction_tracker.domain import TERMINAL, Event, State, Tracked


class TransactionCounts:
    """The number of transactions in each state, and of parked ones.

    Part of `OpenTransactions`. Final transactions are counted once, when the database is opened.
    """

    def __init__(self) -> None:
        self._open: Counter[State] = Counter()
        self._final: Counter[State] = Counter()
        self._parked: dict[str, str] = {}

    @property
    def parked(self) -> int:
        """The number of parked transactions."""
        return len(self._parked)

    def parked_errors(self, limit: int) -> dict[str, str]:
        """Return the errors of the parked transactions that were parked first, by their ids."""
        return dict(islice(self._parked.items(), limit))

    @property
    def by_state(self) -> dict[State, int]:
        """The number of transactions in each state; states without any are left out."""
        return dict(+(self._open + self._final))

    def clear(self) -> None:
        """Set all numbers to 0."""
        self._open.clear()
        self._final.clear()
        self._parked.clear()

    def add_final(self, counts: Mapping[State, int]) -> None:
        """Add final transactions; negative numbers remove some."""
        self._final.update(counts)

    def move(self, before: Tracked | None, after: Tracked | None) -> None:
        """Count an open transaction that was added, changed or became final."""
        if before is not None:
            self._open[before.state] -= 1
            if before.error is not None:
                self._parked.pop(before.key, None)
        if after is not None:
            self._open[after.state] += 1
            if after.error is not None:
                self._parked[after.key] = after.error

    def count_events(self, events: Iterable[Event]) -> None:
        """Count the transactions that events make final or reopen."""
        moves: Counter[tuple[State, State]] = Counter(
            (event.previous, event.tracked.state) for event in events
        )
        for (previous, state), count in moves.items():
            self._final[previous] -= count * (previous in TERMINAL)
            self._final[state] += count * (state in TERMINAL)
