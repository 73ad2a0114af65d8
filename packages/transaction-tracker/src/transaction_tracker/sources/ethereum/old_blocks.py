"""Which blocks below the kept ones are on our chain."""

from collections import Counter
from collections.abc import Collection

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.sources.ethereum.links import MAX_LINKED_BLOCKS, Ancestors, numbered
from transaction_tracker.sources.ethereum.rpc import Rpc
from transaction_tracker.sources.protocol import Contained

# So many providers must say the same of a block that is too far down to be linked.
QUORUM = 2


class OldBlocks:
    """Proves blocks by their links, and those that are too far down by what most providers say.

    Args:
        rpc: Asks the nodes.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._ancestors = Ancestors(rpc)

    def follows(self, before: Chain, after: Chain) -> None:
        """Note a change of our chain."""
        self._ancestors.follows(before, after)

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link, *, has_links: bool
    ) -> Contained:
        """Return which blocks are on our chain; see ``ChainSource.contained``.

        Args:
            blocks: The blocks.
            tip: Our last block.
            bottom: Our lowest kept block.
            has_links: Whether parent hashes link the blocks of this chain.
        """
        lowest = bottom.number - MAX_LINKED_BLOCKS
        near = {block for block in blocks if has_links and block.number >= lowest}
        linked, linking = await self._ancestors.linked(near, bottom)
        far = set(blocks) - near
        said = await self._said(far, tip) if far else Contained()
        return Contained(said.proven | linked, said.unconfirmed, said.denied, frozenset(linking))

    async def _said(self, blocks: Collection[BlockRef], tip: BlockRef) -> Contained:
        """Ask every node for the blocks and for our tip, all in one request."""
        same: Counter[BlockRef] = Counter()
        other: Counter[BlockRef] = Counter()
        heights = sorted({block.number for block in blocks})
        size = max(1, self._rpc.calls_per_request - 1)
        for at in range(0, len(heights), size):
            part = heights[at : at + size]
            requests = [numbered(height) for height in (tip.number, *part)]
            # Each node by itself: where one gives a part of the answers for another, the tip can
            # be from our chain and the old block from another branch.
            for answers in await self._rpc.everywhere(requests):
                there = {link.number: link for link in answers if isinstance(link, Link)}
                if tip.number not in there or there[tip.number].ref != tip:
                    continue
                for block in blocks:
                    if block.number in there and block.number in part:
                        (same if there[block.number].ref == block else other)[block] += 1
        proven = {block for block in blocks if same[block] >= QUORUM and same[block] > other[block]}
        denied = {block for block in blocks if other[block]} - proven
        told = {block for block in blocks if same[block]} - proven - denied
        return Contained(frozenset(proven), frozenset(told), frozenset(denied))
