"""Which transactions a block or a height concerns, so that no head is broadcast."""

from collections import defaultdict
from typing import TypeVar

from transaction_tracker.domain.facts import BlockRef
from transaction_tracker.domain.tracked import Tracked

K = TypeVar("K")


class Agenda:
    """Transactions that wait for depth, by the block that decides them and by height."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[BlockRef, int]] = {}
        self._by_block: defaultdict[BlockRef, set[str]] = defaultdict(set)
        self._by_height: defaultdict[int, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, tracked: Tracked) -> None:
        """Put a transaction where it now belongs, which may be nowhere."""
        self._forget(tracked.id)
        if tracked.anchor is None or tracked.due is None:
            return
        self._entries[tracked.id] = (tracked.anchor, tracked.due)
        self._by_block[tracked.anchor].add(tracked.id)
        self._by_height[tracked.due].add(tracked.id)

    def decided_in(self, block: BlockRef) -> set[str]:
        """Name the transactions that lose their place when ``block`` goes."""
        return set(self._by_block.get(block, ()))

    def due_by(self, height: int) -> dict[str, BlockRef]:
        """Name the transactions that are deep enough at ``height``, with their blocks.

        Also those that were before and are here still: whatever went wrong then may go
        well now.
        """
        heights = [due for due in self._by_height if due <= height]
        return {
            member: self._entries[member][0] for due in heights for member in self._by_height[due]
        }

    def blocks(self) -> list[BlockRef]:
        """List the blocks that decide something."""
        return sorted(self._by_block)

    def _forget(self, transaction: str) -> None:
        entry = self._entries.pop(transaction, None)
        if entry is None:
            return
        block, due = entry
        _discard(self._by_block, block, transaction)
        _discard(self._by_height, due, transaction)


def _discard(buckets: dict[K, set[str]], key: K, member: str) -> None:
    bucket = buckets[key]
    bucket.discard(member)
    if not bucket:
        del buckets[key]
