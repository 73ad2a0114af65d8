"""Find the transactions that a block or a height affects, so that a head is never broadcast."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeVar

from transaction_tracker.domain.facts import BlockRef
from transaction_tracker.domain.states import Tag
from transaction_tracker.domain.tracked import Tracked

K = TypeVar("K")

# The tag that must reach a height, or ``None`` where the head must; and that height.
_Turn = tuple[Tag | None, int]


class Agenda:
    """Transactions that wait for depth, indexed by their block and by the height they wait for."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[BlockRef, _Turn]] = {}
        self._by_block: defaultdict[BlockRef, set[str]] = defaultdict(set)
        self._by_turn: defaultdict[_Turn, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, tracked: Tracked) -> None:
        """Index a transaction by its current state; remove it if it waits for no depth."""
        self.forget(tracked.id)
        if tracked.anchor is None or not tracked.waits_for_depth:
            return
        turn = _turn(tracked, tracked.anchor)
        self._entries[tracked.id] = (tracked.anchor, turn)
        self._by_block[tracked.anchor].add(tracked.id)
        self._by_turn[turn].add(tracked.id)

    def decided_in(self, block: BlockRef) -> set[str]:
        """Return the transactions whose state was decided by ``block``."""
        return set(self._by_block.get(block, ()))

    def due_by(self, height: int, marks: Mapping[Tag, int] | None = None) -> dict[str, BlockRef]:
        """Return the transactions that are deep enough at ``height``, with their blocks.

        Includes transactions that were due at a lower height and have not left since, so that an
        attempt that failed is repeated.

        Args:
            height: Height of the head.
            marks: Height that each tag of the chain has reached.
        """
        return {
            member: self._entries[member][0]
            for turn in list(self._due_turns(height, marks or {}))
            for member in self._by_turn[turn]
        }

    def blocks(self) -> list[BlockRef]:
        """Return the blocks that decided the state of an indexed transaction, in order."""
        return sorted(self._by_block)

    @property
    def waits_for_tags(self) -> bool:
        """Whether a transaction waits for a tag of the chain."""
        return any(tag is not None for tag, _ in self._by_turn)

    def waiting_for(self, tag: Tag) -> set[str]:
        """Return the transactions that wait for a tag of the chain."""
        return {
            member
            for turn, members in self._by_turn.items()
            if turn[0] == tag
            for member in members
        }

    def _due_turns(self, height: int, marks: Mapping[Tag, int]) -> Iterator[_Turn]:
        for tag, due in self._by_turn:
            reached = height if tag is None else marks.get(tag)
            if reached is not None and due <= reached:
                yield tag, due

    def forget(self, transaction: str) -> None:
        """Remove a transaction; no effect if it is not indexed."""
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
