"""Which blocks below the kept ones are on our chain."""

from collections import Counter
from collections.abc import Callable, Collection

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources.answers import Contained
from transaction_tracker.sources.ethereum.links import MAX_LINKED_BLOCKS, Ancestors, numbered
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Number of providers that must have a block that is too far down to be linked.
QUORUM = 2


class OldBlocks:
    """Proof of old blocks: by their links or, if they are too far down, by most providers.

    Args:
        rpc: Client of the nodes.
        at: Returns the request for the link of the canonical block at a height.
    """

    def __init__(self, rpc: Rpc, at: Callable[[int], Request] = numbered) -> None:
        self._rpc = rpc
        self._at = at
        self._ancestors = Ancestors(rpc, at)

    def follows(self, before: KeptChain, after: KeptChain) -> None:
        """Handle a change of our chain."""
        self._ancestors.follows(before, after)

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link, *, has_links: bool
    ) -> Contained:
        """Return which blocks are on our chain; see ``ChainSource.contained``.

        Args:
            blocks: The blocks.
            tip: Our last block.
            bottom: Our lowest kept block.
            has_links: Whether the blocks of this chain are linked by parent hashes.
        """
        lowest = bottom.number - MAX_LINKED_BLOCKS
        near = {block for block in blocks if has_links and block.number >= lowest}
        linked, linking = await self._ancestors.linked(near, bottom)
        far = set(blocks) - near
        found = await self._compare(far, tip) if far else Contained()
        return Contained(found.proven | linked, found.unconfirmed, found.denied, frozenset(linking))

    async def _compare(self, blocks: Collection[BlockRef], tip: BlockRef) -> Contained:
        """Compare blocks with those of each node whose chain contains our tip.

        Each request also asks for our tip, so that one response has both.
        """
        same: Counter[BlockRef] = Counter()
        other: Counter[BlockRef] = Counter()
        heights = sorted({block.number for block in blocks})
        size = max(1, self._rpc.calls_per_request - 1)
        for at in range(0, len(heights), size):
            part = heights[at : at + size]
            requests = [self._at(height) for height in (tip.number, *part)]
            # ``everywhere`` does not fail over: if another node sent a part of the results, the tip
            # could be from our chain and the old block from another branch.
            for answers in await self._rpc.everywhere(requests):
                there = {link.number: link for link in answers if isinstance(link, Link)}
                if tip.number not in there or there[tip.number].ref != tip:
                    continue
                for block in blocks:
                    if block.number in there and block.number in part:
                        (same if there[block.number].ref == block else other)[block] += 1
        proven = {block for block in blocks if same[block] >= QUORUM and same[block] > other[block]}
        denied = {block for block in blocks if other[block]} - proven
        unconfirmed = {block for block in blocks if same[block]} - proven - denied
        return Contained(frozenset(proven), frozenset(unconfirmed), frozenset(denied))
