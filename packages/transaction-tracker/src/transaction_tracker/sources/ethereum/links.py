"""Links from blocks below the lowest kept block to that block, header by header."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Blocks farther below the lowest kept block are not linked to it.
MAX_LINKED_BLOCKS = 1_000
# Maximum number of requests in one call of ``linked``. With a node that refuses batches, 1,000
# blocks take ten calls; each call continues where the one before stopped.
MAX_REQUESTS = 100
# Below the limit of requests in flight at one provider, so that other requests get a slot.
_REQUESTS_AT_ONCE = 4


def numbered(height: int) -> Request:
    """Return the request for the hash and the parent of the canonical block at a height."""

    def read(value: Any) -> Link:
        link = decode.link(value)
        if link.number != height:
            raise fields.wrong("block number", str(height), link.number)
        return link

    return Request("eth_getBlockByNumber", (hex(height), False), read)


class Ancestors:
    """Proof that blocks are ancestors of our lowest kept block.

    An address can have many nodes behind it: a correct node can answer about our tip, and a node
    that is stuck on another branch about an old block. Only the links between the two blocks are a
    proof.

    Blocks that were kept before need no request: their links to the kept blocks are known.

    Args:
        rpc: Client of the nodes.
        at: Returns the request for the link of the canonical block at a height.
    """

    def __init__(self, rpc: Rpc, at: Callable[[int], Request] = numbered) -> None:
        self._rpc = rpc
        self._at = at
        self._links: dict[str, Link] = {}

    def follows(self, before: KeptChain, after: KeptChain) -> None:
        """Store the links of blocks that our chain no longer keeps at its lower end."""
        if after.bottom is None:
            self._links.clear()
            return
        for link in before.links:
            if link.number >= after.bottom.number:
                break
            self._links[link.hash] = link

    async def linked(
        self, blocks: Collection[BlockRef], bottom: Link
    ) -> tuple[set[BlockRef], set[BlockRef]]:
        """Return the blocks that are proven to be ancestors of our lowest kept block.

        Args:
            blocks: Blocks at most ``MAX_LINKED_BLOCKS`` below ``bottom``.
            bottom: The lowest kept block.

        Returns:
            The proven blocks, and the blocks that the next call can prove, because all headers
            requested so far have arrived.
        """
        if not blocks:
            return set(), set()
        lowest, left = min(block.number for block in blocks), MAX_REQUESTS
        path = self._down(bottom, lowest)
        while path[-1].number > lowest and left > 0:
            end = path[-1]
            size = max(1, self._rpc.calls_per_request)
            numbers = range(max(lowest, end.number - left * size), end.number)
            left -= -(-len(numbers) // size)
            if not await self._fetch(end, numbers):
                left = -1
                break
            path = self._down(bottom, lowest)
        self._forget(path, bottom)
        deeper = {block for block in blocks if left >= 0 and block.number < path[-1].number}
        return set(blocks) & {link.ref for link in path}, deeper

    def _down(self, bottom: Link, lowest: int) -> list[Link]:
        """Return the linked blocks from ``bottom`` down to a height, as far as they are known."""
        path = [self._links.get(bottom.hash, bottom)]
        while path[-1].number > lowest:
            parent = self._links.get(path[-1].parent)
            if parent is None or parent.number >= path[-1].number:
                break
            path.append(parent)
        return path

    async def _fetch(self, end: Link, numbers: range) -> bool:
        """Fetch the blocks below ``end``, and return whether its parent is among them."""
        answers = await self._headers(numbers)
        self._links |= _by_hash(answers)
        if end.parent in self._links:
            return True
        if not self._rpc.is_compared or any(isinstance(item, SourceError) for item in answers):
            return False
        # The followed node can have named a wrong parent, or be on another branch. The links of
        # each node are checked alone: wrong parents from one node must not affect another node.
        requests = [self._at(height) for height in (*numbers, end.number)]
        for of_node in await self._rpc.everywhere(requests):
            links = _by_hash(of_node)
            if links.get(end.hash, end).parent in links:
                self._links |= links
                return True
        return False

    async def _headers(self, numbers: range) -> list[Any]:
        size = max(1, self._rpc.calls_per_request)
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        slots = asyncio.Semaphore(_REQUESTS_AT_ONCE)

        async def fetch(part: range) -> list[Any]:
            async with slots:
                try:
                    return await self._rpc.batch([self._at(number) for number in part])
                except SourceError as error:
                    return [error] * len(part)

        answers = await asyncio.gather(*map(fetch, parts))
        return [answer for part in answers for answer in part]

    def _forget(self, path: list[Link], bottom: Link) -> None:
        """Delete links that are too far down; of too many, keep only the path."""
        if len(self._links) > 2 * MAX_LINKED_BLOCKS:
            self._links = {link.hash: link for link in path}
        floor = bottom.number - MAX_LINKED_BLOCKS
        self._links = {key: link for key, link in self._links.items() if link.number >= floor}


def _by_hash(answers: Collection[Any]) -> dict[str, Link]:
    return {answer.hash: answer for answer in answers if isinstance(answer, Link)}
