"""The blocks of the chain's tags, such as finalized, that are on our chain."""

from transaction_tracker.domain import BlockRef, KeptChain, Tag
from transaction_tracker.sources import Head


class Marks:
    """The last block of each tag that a head showed, if that block is on our chain."""

    def __init__(self) -> None:
        self._blocks: dict[Tag, BlockRef] = {}

    def note(self, head: Head, chain: KeptChain) -> None:
        """Record the blocks of a head's tags that are on our chain.

        A node on another branch reports tags too. A block is believed if it is kept, or if it is
        below the kept blocks and the node's head is our tip.
        """
        tip, bottom = chain.tip, chain.bottom
        if tip is None or bottom is None:
            return
        is_ours = head.link.ref == tip.ref
        for tag, block in head.marks.items():
            if chain.holds(block) or (is_ours and block.number < bottom.number):
                self._blocks[tag] = block

    def heights(self, chain: KeptChain) -> dict[Tag, int]:
        """Return the height that each tag of the chain has reached."""
        bottom = chain.bottom
        return {
            tag: block.number
            for tag, block in self._blocks.items()
            if chain.holds(block) or (bottom is not None and block.number < bottom.number)
        }

    def drop(self, lowest: int) -> None:
        """Forget the blocks that were undone.

        Otherwise their heights would count on the new branch, once its kept blocks are above them.

        Args:
            lowest: Height of the lowest block that was undone.
        """
        self._blocks = {tag: block for tag, block in self._blocks.items() if block.number < lowest}

    def clear(self) -> None:
        """Forget all blocks, because our chain was replaced."""
        self._blocks.clear()
