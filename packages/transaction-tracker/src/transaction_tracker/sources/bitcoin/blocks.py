"""Fetch the head, and blocks whose hashes prove their transactions."""

from transaction_tracker.domain import BlockRef, Link
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.bitcoin import fields
from transaction_tracker.sources.bitcoin.client import (
    Chained,
    block_at_request,
    block_request,
    link_request,
)
from transaction_tracker.sources.errors import NotYetError, SourceError
from transaction_tracker.sources.ethereum.retries import retry_not_yet
from transaction_tracker.sources.ethereum.rpc import Rpc

# A block has up to 8 MB as hexadecimal text.
MAX_BLOCKS_PER_REQUEST = 4


class Blocks:
    """Fetches blocks.

    Args:
        rpc: Client of the nodes.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._last: FetchedBlock | None = None

    async def head(self) -> Link:
        """Fetch the link of the newest block."""
        request = Chained("getbestblockhash", (), fields.block_hash, then=link_request)
        (head,) = await self._rpc.batch([request])
        if isinstance(head, SourceError):
            raise head
        if head is None:
            raise NotYetError(f"{self._rpc} does not have its own newest block yet")
        link: Link = head
        return link

    async def by_hash(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block; the last one is kept, because several questions can be about it.

        Raises:
            NotYetError: No provider has the block.
            SourceError: No provider sends it in a readable form.
        """
        if self._last is not None and self._last.link.ref == ref:
            return self._last
        try:
            self._last = await retry_not_yet(lambda: self._fetch(ref))
        except SourceError:
            # A node that has pruned the block, or that is behind, is not the only one.
            found: FetchedBlock | None
            (found,) = await self._rpc.elsewhere([block_request(ref)])
            if found is None:
                raise
            self._last = found
        return self._last

    async def by_number(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks; see ``ChainSource.blocks``."""
        found: list[FetchedBlock] = []
        size = max(1, min(MAX_BLOCKS_PER_REQUEST, self._rpc.calls_per_request))
        for at in range(0, len(numbers), size):
            answers = await self._rpc.batch([block_at_request(n) for n in numbers[at : at + size]])
            for answer in answers:
                if isinstance(answer, SourceError) and not found:
                    raise answer
                is_next = isinstance(answer, FetchedBlock) and (
                    not found or answer.link.is_child_of(found[-1].link)
                )
                if not is_next:
                    return found
                found.append(answer)  # pyright: ignore[reportArgumentType] - a block: see above
        return found

    async def _fetch(self, ref: BlockRef) -> FetchedBlock:
        (answer,) = await self._rpc.batch([block_request(ref)])
        if isinstance(answer, SourceError):
            raise answer
        if answer is None:
            raise NotYetError(f"{self._rpc} has no block {ref.number} ({ref.hash}) yet")
        found: FetchedBlock = answer
        return found
