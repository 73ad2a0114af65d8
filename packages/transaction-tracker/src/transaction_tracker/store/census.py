"""How many transactions there are, counted as they change and not by reading them all."""

from collections import Counter
from collections.abc import Iterable, Mapping

from transaction_tracker.domain import TERMINAL, Event, State, Tracked


class Census:
    """The transactions by state, and those whose tracker was given up.

    The book keeps it. Ended ones are counted once when the database is opened.
    """

    def __init__(self) -> None:
        self._open: Counter[State] = Counter()
        self._ended: Counter[State] = Counter()
        self.parked = 0

    @property
    def by_state(self) -> dict[State, int]:
        """Count the transactions in each state; states without any are left out."""
        return dict(+(self._open + self._ended))

    def clear(self) -> None:
        """Forget everything."""
        self._open.clear()
        self._ended.clear()
        self.parked = 0

    def ended(self, counts: Mapping[State, int]) -> None:
        """Add transactions that have ended; negative numbers take some away."""
        self._ended.update(counts)

    def move(self, before: Tracked | None, after: Tracked | None) -> None:
        """Count an open transaction that came, changed or ended."""
        if before is not None:
            self._open[before.state] -= 1
            self.parked -= before.error is not None
        if after is not None:
            self._open[after.state] += 1
            self.parked += after.error is not None

    def hear(self, events: Iterable[Event]) -> None:
        """Count the ends that events make and undo."""
        for event in events:
            self._ended[event.previous] -= event.previous in TERMINAL
            self._ended[event.tracked.state] += event.tracked.final
