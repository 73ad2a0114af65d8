"""The stored open transactions in memory, for all readers of the program."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from transaction_tracker.domain import BlockRef, State, Tracked
from transaction_tracker.store.census import TransactionCounts
from transaction_tracker.store.steps import Stored


class OpenTransactions:
    """The open transactions as they are stored, and the tip of the chain.

    Only the store writes it: after the commit, and before anyone is informed of a change. It holds
    the same objects as the trackers, not copies.

    Attributes:
        tip: The highest block; ``None`` before the first.
        census: The numbers of transactions, including finished ones.
    """

    def __init__(self) -> None:
        self.tip: BlockRef | None = None
        self.census = TransactionCounts()
        self._open: dict[str, Tracked] = {}
        self._slots: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._open.values())

    def get(self, transaction: str) -> Tracked | None:
        """Return an open transaction, or ``None``."""
        return self._open.get(transaction)

    def own(self, ids: Mapping[str, object]) -> set[str]:
        """Return which of the ids of a block are open transactions."""
        return self._open.keys() & ids.keys()

    def rivals(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Return the open transactions whose slots a block used, each with the winner."""
        return {
            loser: winner
            for slot, winner in slots.items()
            for loser in self._slots.get(slot, ())
            if loser != winner
        }

    def take(self, stored: Stored) -> None:
        """Take over a part of the result of a commit. Only for the store."""
        self.write(stored.rows)
        self.census.count_events(stored.events)
        self.tip = stored.tip or self.tip

    def add_final(self, counts: Mapping[str, Mapping[State, int]]) -> None:
        """Count final transactions, by source and state. Only for the store."""
        for by_state in counts.values():
            self.census.add_final(by_state)

    def write(self, rows: Iterable[Tracked]) -> None:
        """Take over rows; remove those that are final. Only for the store."""
        for tracked in rows:
            before = self._open.get(tracked.id)
            self.census.move(before, None if tracked.final else tracked)
            if before is not None and before.slot != tracked.slot:
                self._leave_slot(before)
                before = None
            if tracked.final:
                self._remove(tracked)
            else:
                self._open[tracked.id] = tracked
                if before is None and tracked.slot is not None:
                    self._slots[tracked.slot] = (*self._slots.get(tracked.slot, ()), tracked.id)

    def clear(self) -> None:
        """Remove everything, before the database is loaded. Only for the store."""
        self.tip = None
        self.census.clear()
        self._open.clear()
        self._slots.clear()

    def _remove(self, tracked: Tracked) -> None:
        known = self._open.pop(tracked.id, None)
        if known is not None:
            self._leave_slot(known)

    def _leave_slot(self, tracked: Tracked) -> None:
        if tracked.slot is None:
            return
        left = tuple(key for key in self._slots.get(tracked.slot, ()) if key != tracked.id)
        if left:
            self._slots[tracked.slot] = left
        else:
            self._slots.pop(tracked.slot, None)


class OpenBySource:
    """The open transactions of several sources. Only for the store.

    Transactions of a source that is not configured have no reader, and are left out.

    Args:
        parts: The open transactions of each source, by its name in the database.
    """

    def __init__(self, parts: Mapping[str, OpenTransactions]) -> None:
        self._parts = dict(parts)

    def take(self, stored: Stored) -> None:
        """Take over a part of the result of a commit."""
        self.write(stored.rows)
        for source, events in groupby(stored.events, attrgetter("tracked.source")):
            if source in self._parts:
                self._parts[source].census.count_events(events)
        if stored.tip is not None and stored.source in self._parts:
            self._parts[stored.source].tip = stored.tip

    def write(self, rows: Iterable[Tracked]) -> None:
        """Take over rows; remove those that are final."""
        for source, some in groupby(rows, attrgetter("source")):
            if source in self._parts:
                self._parts[source].write(some)

    def add_final(self, counts: Mapping[str, Mapping[State, int]]) -> None:
        """Count final transactions, by source and state."""
        for source, by_state in counts.items():
            if source in self._parts:
                self._parts[source].census.add_final(by_state)

    def clear(self) -> None:
        """Remove everything, before the database is loaded."""
        for part in self._parts.values():
            part.clear()
