"""The blocks between our chain and a head, fetched from the source."""

from typing import NamedTuple

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources import ChainSource, FetchedBlock, MalformedError, NotYetError

# Maximum number of blocks fetched at once; other messages of the follower are handled after them.
_BATCH_SIZE = 128


class Path(NamedTuple):
    """The blocks to apply on the way to a head.

    Attributes:
        root: Parent of the lowest block; the head itself if there is no block to apply.
        blocks: The blocks, from the lowest up.
    """

    root: BlockRef
    blocks: list[FetchedBlock]


class PathReader:
    """Fetches the blocks from a kept block up to a head.

    Args:
        source: The source of the blocks.
    """

    def __init__(self, source: ChainSource) -> None:
        self._source = source

    async def up_to(self, head: Link, chain: KeptChain) -> Path:
        """Fetch the blocks from a kept one up to the head, at most one batch of new numbers.

        Raises:
            NotYetError: No provider has a block on the way.
            SourceError: The source fails.
        """
        tip = chain.tip
        if tip is not None and head.number > tip.number + 1:
            stop = min(head.number, tip.number + _BATCH_SIZE) + 1
            blocks = await self._source.blocks(range(tip.number + 1, stop))
            if blocks:
                return await self._down(blocks[::-1], chain)
            if stop <= head.number:
                raise NotYetError(f"block {tip.number + 1} is missing below the head {head.number}")
        elif tip is not None and chain.holds(head.ref):
            return Path(head.ref, [])
        return await self._down([await self._fetch(head.ref, [])], chain)

    async def _down(self, path: list[FetchedBlock], chain: KeptChain) -> Path:
        """Fetch blocks by hash, each the parent of the last, down to a kept one.

        Args:
            path: The blocks fetched so far, from the highest down.
            chain: Our chain.
        """
        while True:
            lowest, bottom = path[-1].link, chain.bottom
            parent = _parent_of(lowest, chain)
            if chain.holds(parent) or bottom is None or lowest.number <= bottom.number:
                return Path(parent, path[::-1])
            try:
                path.append(await self._fetch(parent, path))
            except NotYetError:
                # The hash of a block covers its parent's hash, so if two providers return different
                # parents, one of them is wrong. No provider has this parent: try the other version.
                other = await self._source.other_version(path[-1])
                if other is None:
                    raise
                path[-1] = other

    async def _fetch(self, ref: BlockRef, above: list[FetchedBlock]) -> FetchedBlock:
        try:
            block = await self._source.block(ref)
        except NotYetError as error:
            if not above:
                raise
            child = above[-1].link
            raise NotYetError(
                f"block {child.number} ({child.hash}) names the parent {ref.hash} "
                f"(field parentHash), which no provider has: {error}"
            ) from None
        if above and block.link.number >= above[-1].link.number:
            raise MalformedError(
                f"block {ref.hash} has number {block.link.number}, and is the parent of block "
                f"{above[-1].link.number}"
            )
        return block


def _parent_of(link: Link, chain: KeptChain) -> BlockRef:
    """Return the parent of a block, with the right number if it is kept.

    On some chains, a number can have no block, also one at which our old branch has a block.
    Then the parent's number is not the number below.
    """
    for kept in reversed(chain.links):
        if kept.hash == link.parent and kept.number < link.number:
            return kept.ref
    return link.parent_ref
