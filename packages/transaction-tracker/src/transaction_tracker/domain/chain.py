"""The canonical chain as far as it is kept, and what a new head does to it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transaction_tracker.domain.facts import BlockRef

# Blocks kept beyond the required confirmations, so that a reorganisation deeper
# than anybody expects still finds where the branches part.
MARGIN = 64


@dataclass(frozen=True, slots=True)
class Link:
    """One block of the chain: itself and the block that it builds on."""

    number: int
    hash: str
    parent: str

    @property
    def ref(self) -> BlockRef:
        """The block itself."""
        return BlockRef(self.number, self.hash)

    @property
    def parent_ref(self) -> BlockRef:
        """The parent, on a chain where each number has a block."""
        return BlockRef(self.number - 1, self.parent)

    def is_child_of(self, below: "Link") -> bool:
        """Return whether this block builds on ``below``.

        The hash decides. Its number must be higher, but not by one: some chains have numbers
        without a block, and the source checks the numbers of all others.
        """
        return self.parent == below.hash and self.number > below.number


@dataclass(frozen=True, slots=True)
class Fork:
    """How to get from the kept chain to a new head.

    Attributes:
        undo: Blocks to take back, from the top down.
        apply: Blocks to add then, from the lowest up.
    """

    undo: tuple[Link, ...]
    apply: tuple[Link, ...]


class BrokenChainError(ValueError):
    """Blocks that do not build on each other were taken for a chain."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The last ``keep`` blocks of the canonical chain, each the next one's parent.

    A value: ``push`` and ``pop`` give another chain.
    """

    keep: int
    links: tuple[Link, ...] = ()

    @classmethod
    def of(cls, keep: int, links: Iterable[Link]) -> "Chain":
        """Take up a chain that was kept elsewhere, from its lowest block up."""
        chain = tuple(links)[-keep:]
        check_linked(chain)
        return cls(keep, chain)

    @property
    def tip(self) -> Link | None:
        """The highest block, if any is known."""
        return self.links[-1] if self.links else None

    @property
    def bottom(self) -> Link | None:
        """The lowest block that is kept."""
        return self.links[0] if self.links else None

    def at(self, number: int) -> Link | None:
        """Return the kept block of that height."""
        index = self._index(number)
        found = self.links[index] if index < len(self.links) else None
        return found if found is not None and found.number == number else None

    def at_or_below(self, number: int) -> Link | None:
        """Return the highest kept block up to that height."""
        index = bisect_right(self.links, number, key=_number)
        return self.links[index - 1] if index else None

    def holds(self, block: BlockRef) -> bool:
        """Return whether this very block is kept."""
        link = self.at(block.number)
        return link is not None and link.hash == block.hash

    def confirmations(self, block: BlockRef) -> int:
        """Count the blocks from ``block`` to the tip along the hashes, both included.

        A block off the chain has none. One below the lowest that is kept was on the
        chain when it was, and no reorganisation has reached down to it since.
        """
        if self.tip is None or self.bottom is None:
            return 0
        if block.number >= self.bottom.number and not self.holds(block):
            return 0
        return self.tip.number - block.number + 1

    def push(self, link: Link) -> "Chain":
        """Add the next block, and let go of the lowest when there are enough."""
        if self.tip is not None and not link.is_child_of(self.tip):
            raise BrokenChainError(f"expected a child of {self.tip}, got {link}")
        return Chain(self.keep, (*self.links, link)[-self.keep :])

    def extended(self, links: Sequence[Link]) -> "Chain":
        """Add several blocks, the lowest first."""
        check_linked([*self.links[-1:], *links])
        return Chain(self.keep, (*self.links, *links)[-self.keep :])

    def pop(self) -> "Chain":
        """Take the highest block back."""
        return Chain(self.keep, self.links[:-1])

    def fork(self, root: BlockRef, path: Sequence[Link]) -> Fork:
        """Return how to get to the last block of ``path``, or to ``root`` when that is empty.

        Args:
            root: Where the two branches part. When it is not kept, all blocks are undone.
            path: The new branch above ``root``, from the lowest block up.
        """
        check_linked(path)
        if path and path[0].parent != root.hash:
            raise BrokenChainError(f"expected a child of {root}, got {path[0]}")
        kept = self._index(root.number) + 1 if self.holds(root) else 0
        return Fork(undo=tuple(reversed(self.links[kept:])), apply=tuple(path))

    def _index(self, number: int) -> int:
        """Return the place of the lowest kept block at or above a height."""
        if not self.links:
            return 0
        # Nearly all chains have a block for each number: then the place needs no search.
        place = number - self.links[0].number
        if 0 <= place < len(self.links) and self.links[place].number == number:
            return place
        return bisect_left(self.links, number, key=_number)


def _number(link: Link) -> int:
    return link.number


def check_linked(links: Sequence[Link]) -> None:
    """Refuse blocks that are not each the next one's parent."""
    for below, above in pairwise(links):
        if not above.is_child_of(below):
            raise BrokenChainError(f"expected a child of {below}, got {above}")
