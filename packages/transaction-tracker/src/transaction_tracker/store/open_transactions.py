"""The stored open transactions in memory, for all readers of the program."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from transaction_tracker.domain import BlockRef, State, Tracked
from transaction_tracker.store.addresses.table import WatchedAddresses, WatchedChange
from transaction_tracker.store.census import TransactionCounts
from transaction_tracker.store.steps import Stored


class OpenTransactions:
    """The open transactions as they are stored, and the tip of the chain.

    Only the store writes it: after the commit, and before anyone is informed of a change. It holds
    the same objects as the trackers, not copies.

    Attributes:
        addresses: The watched addresses.
        tip: The highest block; ``None`` before the first.
        census: The numbers of transactions, including finished ones.
    """

    def __init__(self) -> None:
        self.addresses: WatchedAddresses = WatchedAddresses()
        self.tip: BlockRef | None = None
        self.census: TransactionCounts = TransactionCounts()
        self._open: dict[str, Tracked] = {}
        # The transactions with a slot. Nearly always one: it needs no tuple of its own.
        self._slots: dict[str, str | tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._open.values())

    def get(self, transaction: str) -> Tracked | None:
        """Return an open transaction, or ``None``."""
        return self._open.get(transaction)

    def own(self, ids: Mapping[str, object], slots: Mapping[str, str]) -> dict[str, str]:
        """Return the open transactions that a block contains, each with its id in the block.

        Args:
            ids: The ids of the block's transactions.
            slots: The slots that they took, each with the id. A transaction that is tracked by its
                slot is the one that took it.
        """
        found = {key: key for key in self._open.keys() & ids.keys()}
        return found | {key: slots[key] for key in self._open.keys() & slots.keys()}

    def rivals(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Return the open transactions of which a block used a slot, each with the winner.

        If several transactions of the block used slots of one, the first of them is the winner.
        """
        found: dict[str, str] = {}
        for slot, winner in slots.items():
            for loser in self._in_slot(slot):
                # A transaction that is tracked by its slot is the winner.
                if loser not in (winner, slot):
                    found.setdefault(loser, winner)
        return found

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
            if before is not None and before.slots != tracked.slots:
                self._leave_slots(before)
                before = None
            if tracked.final:
                self._remove(tracked)
            else:
                self._open[tracked.id] = tracked
                for slot in tracked.slots if before is None else ():
                    self._set_slot(slot, (*self._in_slot(slot), tracked.id))

    def clear(self) -> None:
        """Remove everything, before the database is loaded. Only for the store."""
        self.tip = None
        self.census.clear()
        self.addresses.clear()
        self._open.clear()
        self._slots.clear()

    def watch(self, change: WatchedChange) -> None:
        """Take over a change of the watched addresses. Only for the store."""
        self.addresses.take(change)

    def _remove(self, tracked: Tracked) -> None:
        known = self._open.pop(tracked.id, None)
        if known is not None:
            self._leave_slots(known)

    def _leave_slots(self, tracked: Tracked) -> None:
        for slot in tracked.slots:
            left = tuple(key for key in self._in_slot(slot) if key != tracked.id)
            if left:
                self._set_slot(slot, left)
            else:
                self._slots.pop(slot, None)

    def _in_slot(self, slot: str) -> tuple[str, ...]:
        found = self._slots.get(slot, ())
        return (found,) if isinstance(found, str) else found

    def _set_slot(self, slot: str, ids: tuple[str, ...]) -> None:
        match ids:
            case (only,):
                self._slots[slot] = only
            case _:
                self._slots[slot] = ids


class OpenBySource:
    """The open transactions of several sources. Only for the store.

    Transactions of a source that is not configured have no reader, and are left out.

    Args:
        parts: The open transactions of each source, by its name in the database.

    Attributes:
        left_out: Number of transactions that were left out, by their sources.
    """

    def __init__(self, parts: Mapping[str, OpenTransactions]) -> None:
        self._parts = dict(parts)
        self.left_out: Counter[str] = Counter()

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
            else:
                self.left_out[source] += sum(1 for _ in some)

    def add_final(self, counts: Mapping[str, Mapping[State, int]]) -> None:
        """Count final transactions, by source and state."""
        for source, by_state in counts.items():
            if source in self._parts:
                self._parts[source].census.add_final(by_state)

    def clear(self) -> None:
        """Remove everything, before the database is loaded."""
        self.left_out.clear()
        for part in self._parts.values():
            part.clear()

    def watch(self, change: WatchedChange) -> None:
        """Take over a change of the watched addresses of a source."""
        if change.source in self._parts:
            self._parts[change.source].addresses.take(change)
