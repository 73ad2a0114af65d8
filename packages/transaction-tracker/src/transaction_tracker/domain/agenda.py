"""Which transactions a block or a height concerns, so that no head is broadcast."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeVar

from transaction_tracker.domain.facts import BlockRef
from transaction_tracker.domain.states import Tag
from transaction_tracker.domain.tracked import Tracked

K = TypeVar("K")

# What decides when, and the height by which it is decided: depth where there is no tag.
_Turn = tuple[Tag | None, int]


class Agenda:
    """Transactions that wait for depth, by the block that decides them and by height."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[BlockRef, _Turn]] = {}
        self._by_block: defaultdict[BlockRef, set[str]] = defaultdict(set)
        self._by_turn: defaultdict[_Turn, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, tracked: Tracked) -> None:
        """Put a transaction where it now belongs, which may be nowhere."""
        self.forget(tracked.id)
        if tracked.anchor is None or not tracked.waits_for_depth:
            return
        turn = _turn(tracked, tracked.anchor)
        self._entries[tracked.id] = (tracked.anchor, turn)
        self._by_block[tracked.anchor].add(tracked.id)
        self._by_turn[turn].add(tracked.id)

    def decided_in(self, block: BlockRef) -> set[str]:
        """Name the transactions that lose their place when ``block`` goes."""
        return set(self._by_block.get(block, ()))

    def due_by(self, height: int, marks: Mapping[Tag, int] | None = None) -> dict[str, BlockRef]:
        """Name the transactions that are deep enough at ``height``, with their blocks.

        Also those that were before and are here still: whatever went wrong then may go
        well now.

        Args:
            height: The head's.
            marks: The heights up to which the chain gives its own word.
        """
        return {
            member: self._entries[member][0]
            for turn in list(self._due_turns(height, marks or {}))
            for member in self._by_turn[turn]
        }

    def blocks(self) -> list[BlockRef]:
        """List the blocks that decide something."""
        return sorted(self._by_block)

    @property
    def waits_for_tags(self) -> bool:
        """Whether anybody waits for the chain's own word."""
        return any(tag is not None for tag, _ in self._by_turn)

    def _due_turns(self, height: int, marks: Mapping[Tag, int]) -> Iterator[_Turn]:
        for tag, due in self._by_turn:
            reached = height if tag is None else marks.get(tag)
            if reached is not None and due <= reached:
                yield tag, due

    def forget(self, transaction: str) -> None:
        """Take a transaction off."""
        entry = self._entries.pop(transaction, None)
        if entry is None:
            return
        block, turn = entry
        _discard(self._by_block, block, transaction)
        _discard(self._by_turn, turn, transaction)


def _turn(tracked: Tracked, anchor: BlockRef) -> _Turn:
    if isinstance(tracked.required, str):
        return tracked.required, anchor.number
    return None, anchor.number + tracked.required - 1


def _discard(buckets: dict[K, set[str]], key: K, member: str) -> None:
    bucket = buckets[key]
    bucket.discard(member)
    if not bucket:
        del buckets[key]
