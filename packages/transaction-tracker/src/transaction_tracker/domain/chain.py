"""The kept part of the canonical chain, and how it changes with a new head."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transaction_tracker.domain.facts import BlockRef

# Blocks kept in addition to the required confirmations, so that a reorganisation deeper than the
# confirmations still finds its fork point.
MARGIN = 64


@dataclass(frozen=True, slots=True)
class Link:
    """One block of the chain, with the hash of its parent."""

    number: int
    hash: str
    parent: str

    @property
    def ref(self) -> BlockRef:
        """Number and hash of the block."""
        return BlockRef(self.number, self.hash)

    @property
    def parent_ref(self) -> BlockRef:
        """Number and hash of the parent, on a chain where each number has a block."""
        return BlockRef(self.number - 1, self.parent)

    def is_child_of(self, below: "Link") -> bool:
        """Return whether ``below`` is the parent of this block.

        The parent hash decides. The number must be higher, but not by one: some chains skip
        numbers, and on all other chains the source checks the numbers.
        """
        return self.parent == below.hash and self.number > below.number


@dataclass(frozen=True, slots=True)
class Fork:
    """The steps from the kept chain to a new head.

    Attributes:
        undo: Blocks to undo, from the top down.
        apply: Blocks to apply after that, from the lowest up.
    """

    undo: tuple[Link, ...]
    apply: tuple[Link, ...]


class BrokenChainError(ValueError):
    """The blocks are not linked: one is not the child of the block before it."""


@dataclass(frozen=True, slots=True)
class KeptChain:
    """The last ``keep`` blocks of the canonical chain, each the parent of the next.

    Immutable: ``push`` and ``pop`` return another chain.
    """

    keep: int
    links: tuple[Link, ...] = ()

    @classmethod
    def of(cls, keep: int, links: Iterable[Link]) -> "KeptChain":
        """Return a chain of the last ``keep`` of some blocks, given from the lowest up."""
        chain = tuple(links)[-keep:]
        check_linked(chain)
        return cls(keep, chain)

    @property
    def tip(self) -> Link | None:
        """The highest block; ``None`` if the chain is empty."""
        return self.links[-1] if self.links else None

    @property
    def bottom(self) -> Link | None:
        """The lowest kept block; ``None`` if the chain is empty."""
        return self.links[0] if self.links else None

    def at(self, number: int) -> Link | None:
        """Return the kept block with a number, or ``None``."""
        index = self._index(number)
        found = self.links[index] if index < len(self.links) else None
        return found if found is not None and found.number == number else None

    def at_or_below(self, number: int) -> Link | None:
        """Return the highest kept block up to a number, or ``None``."""
        index = bisect_right(self.links, number, key=_number)
        return self.links[index - 1] if index else None

    def at_or_above(self, number: int) -> Link | None:
        """Return the lowest kept block from a number up, or ``None``."""
        index = self._index(number)
        return self.links[index] if index < len(self.links) else None

    def holds(self, block: BlockRef) -> bool:
        """Return whether a block with this number and hash is kept."""
        link = self.at(block.number)
        return link is not None and link.hash == block.hash

    def confirmations(self, block: BlockRef) -> int:
        """Return the number of blocks from ``block`` to the tip, both counted.

        From the lowest kept block up, a block that is not kept has 0: it is not on the chain. Below
        that, only the number counts, and the caller must know that the block is on the chain.
        """
        tip, bottom = self.tip, self.bottom
        if tip is None or bottom is None:
            return 0
        if block.number >= bottom.number and not self.holds(block):
            return 0
        return tip.number - block.number + 1

    def push(self, link: Link) -> "KeptChain":
        """Add the next block; drop the lowest if more than ``keep`` are kept."""
        return self.extended((link,))

    def extended(self, links: Sequence[Link]) -> "KeptChain":
        """Add several blocks, from the lowest up."""
        check_linked([*self.links[-1:], *links])
        return KeptChain(self.keep, (*self.links, *links)[-self.keep :])

    def pop(self) -> "KeptChain":
        """Remove the highest block."""
        return KeptChain(self.keep, self.links[:-1])

    def fork(self, root: BlockRef, path: Sequence[Link]) -> Fork:
        """Return the steps to the last block of ``path``, or to ``root`` if ``path`` is empty.

        Args:
            root: The fork point. If it is not kept, all blocks are undone.
            path: The new branch above ``root``, from the lowest block up.
        """
        check_linked(path)
        if path and path[0].parent != root.hash:
            raise BrokenChainError(f"expected a child of {root}, got {path[0]}")
        kept = self._index(root.number) + 1 if self.holds(root) else 0
        return Fork(undo=tuple(reversed(self.links[kept:])), apply=tuple(path))

    def _index(self, number: int) -> int:
        """Return the index of the lowest kept block at or above a number."""
        if not self.links or number > self.links[-1].number:
            return len(self.links)
        # Nearly all chains have a block for each number; then the index can be computed.
        place = number - self.links[0].number
        if 0 <= place < len(self.links) and self.links[place].number == number:
            return place
        return bisect_left(self.links, number, key=_number)


def _number(link: Link) -> int:
    return link.number


def check_linked(links: Sequence[Link]) -> None:
    """Raise ``BrokenChainError`` unless each block is the parent of the next."""
    for below, above in pairwise(links):
        if not above.is_child_of(below):
            raise BrokenChainError(f"expected a child of {below}, got {above}")
