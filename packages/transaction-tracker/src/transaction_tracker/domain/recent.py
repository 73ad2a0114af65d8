"""Which slots the last blocks took, to look behind when a slot becomes known late."""

from collections.abc import Collection, Iterator, Mapping

from transaction_tracker.domain.chain import Link

# What this takes of memory: some 20 MB. Older blocks are left to the source's own answers.
MOST_SLOTS = 50_000


class Recent:
    """The slots of the last blocks, as many blocks as fit."""

    def __init__(self, most_slots: int = MOST_SLOTS) -> None:
        self._most_slots = most_slots
        self._blocks: dict[Link, Mapping[str, str]] = {}
        self._size = 0

    def push(self, link: Link, slots: Mapping[str, str]) -> None:
        """Add the next block, and let go of the oldest when there are too many slots."""
        self._blocks[link] = slots
        self._size += len(slots)
        while self._size > self._most_slots and len(self._blocks) > 1:
            self.drop(next(iter(self._blocks)))

    def drop(self, link: Link) -> None:
        """Take a block back."""
        self._size -= len(self._blocks.pop(link, ()))

    def clear(self) -> None:
        """Forget all blocks."""
        self._blocks.clear()
        self._size = 0

    def taken(self, slot: str) -> tuple[Link, str] | None:
        """Return the block that took the slot, and the transaction that did.

        A slot that was taken twice along one chain is not a slot on this chain: then nothing
        follows from it, and the result is ``None``.
        """
        takers = [(link, slots[slot]) for link, slots in self._newest_first() if slot in slots]
        return takers[0] if len({taker for _, taker in takers}) == 1 else None

    def is_free(self, slot: str) -> bool:
        """Return whether none of the last blocks took the slot."""
        return not any(slot in slots for slots in self._blocks.values())

    def among(self, transactions: Collection[str]) -> set[str]:
        """Return those of the transactions that took a slot in one of the last blocks."""
        wanted = set(transactions)
        return {key for slots in self._blocks.values() for key in wanted & set(slots.values())}

    @property
    def lowest(self) -> int | None:
        """The height of the lowest of the last blocks."""
        return min((link.number for link in self._blocks), default=None)

    def _newest_first(self) -> Iterator[tuple[Link, Mapping[str, str]]]:
        return reversed(self._blocks.items())
