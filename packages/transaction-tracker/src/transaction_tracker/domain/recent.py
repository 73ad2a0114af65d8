"""The slots that the last blocks took, to look up when a slot becomes known late."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from transaction_tracker.domain.chain import Link

# Takes about 20 MB of memory. Older blocks must be asked of the source.
MAX_SLOTS = 50_000


class RecentSlots:
    """The slots of the last blocks, for as many blocks as fit into ``max_slots``."""

    def __init__(self, max_slots: int = MAX_SLOTS) -> None:
        self._max_slots = max_slots
        self._blocks: dict[Link, Mapping[str, str]] = {}
        self._size = 0

    def push(self, link: Link, slots: Mapping[str, str]) -> None:
        """Add the next block; drop the oldest blocks if there are more than ``max_slots``."""
        self._blocks[link] = slots
        self._size += len(slots)
        while self._size > self._max_slots and len(self._blocks) > 1:
            self.drop(next(iter(self._blocks)))

    def drop(self, link: Link) -> None:
        """Remove a block; no effect if it is not kept."""
        self._size -= len(self._blocks.pop(link, ()))

    def clear(self) -> None:
        """Remove all blocks."""
        self._blocks.clear()
        self._size = 0

    def taken(self, slots: Iterable[str]) -> tuple[Link, str] | None:
        """Return the lowest block that took one of the slots, and the transaction that did.

        ``None`` if none did. A slot that different transactions took does not count: a slot that is
        taken twice along one chain is not a slot on this chain, so nothing follows from it.
        """
        found = [taken for slot in slots if (taken := self._taker(slot)) is not None]
        return min(found, key=lambda taken: taken[0].number, default=None)

    def holder(self, transaction: str) -> Link | None:
        """Return the newest block in which a transaction took a slot, or ``None``."""
        held = (link for link, slots in self._newest_first() if transaction in slots.values())
        return next(held, None)

    def is_free(self, slots: Collection[str]) -> bool:
        """Return whether none of the last blocks took one of the slots."""
        return not any(slot in taken for taken in self._blocks.values() for slot in slots)

    def among(self, transactions: Collection[str]) -> set[str]:
        """Return which of the transactions took a slot in one of the last blocks.

        A slot in place of a transaction stands for the transaction that took it.
        """
        wanted = set(transactions)
        return {
            key
            for slots in self._blocks.values()
            for key in (wanted & slots.keys()) | (wanted & set(slots.values()))
        }

    @property
    def lowest(self) -> int | None:
        """The number of the lowest kept block; ``None`` if none is kept."""
        return min((link.number for link in self._blocks), default=None)

    def _taker(self, slot: str) -> tuple[Link, str] | None:
        """Return the newest block that took a slot, unless different transactions took it."""
        takers = [(link, slots[slot]) for link, slots in self._newest_first() if slot in slots]
        return takers[0] if len({taker for _, taker in takers}) == 1 else None

    def _newest_first(self) -> Iterator[tuple[Link, Mapping[str, str]]]:
        return reversed(self._blocks.items())
