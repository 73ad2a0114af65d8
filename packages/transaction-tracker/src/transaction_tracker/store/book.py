"""What is stored of the open transactions, for everyone in the program to read at once."""

from collections.abc import Iterable, Iterator, Mapping

from transaction_tracker.domain import BlockRef, Tracked
from transaction_tracker.store.census import Census
from transaction_tracker.store.steps import Stored


class Book:
    """The open transactions as they are stored, and the tip of the chain.

    The store writes it, after the database and before anyone hears of a change.
    Everyone else only reads. It holds the same values as the trackers, not copies.

    Attributes:
        tip: The highest block; ``None`` before the first.
        census: How many transactions there are, those that have ended too.
    """

    def __init__(self) -> None:
        self.tip: BlockRef | None = None
        self.census = Census()
        self._open: dict[str, Tracked] = {}
        self._slots: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._open.values())

    def get(self, transaction: str) -> Tracked | None:
        """Give a transaction that has not ended."""
        return self._open.get(transaction)

    def own(self, ids: Mapping[str, object]) -> set[str]:
        """Name the open transactions among those of a block."""
        return self._open.keys() & ids.keys()

    def rivals(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Name the open transactions whose slots others took in a block, and those others."""
        return {
            loser: slots[slot]
            for slot in self._slots.keys() & slots.keys()
            for loser in self._slots[slot]
            if loser != slots[slot]
        }

    def take(self, stored: Stored) -> None:
        """Take over what was stored. For the store."""
        self.write(stored.rows)
        self.census.hear(stored.events)
        self.tip = stored.tip or self.tip

    def write(self, rows: Iterable[Tracked]) -> None:
        """Take over rows; one that has ended leaves the book. For the store."""
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
        """Forget everything, to begin anew. For the store."""
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
        left = tuple(one for one in self._slots.get(tracked.slot, ()) if one != tracked.id)
        if left:
            self._slots[tracked.slot] = left
        else:
            self._slots.pop(tracked.slot, None)
