"""Blocks below the lowest kept one, linked to it header by header."""

import asyncio
from collections.abc import Collection
from typing import Any

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Blocks farther below the lowest kept one are not linked to it.
MAX_LINKED_BLOCKS = 1_000
# One call of ``linked`` sends so many requests: where batches are refused, 1,000 blocks take ten
# calls. What was linked before is not asked for again.
MAX_REQUESTS = 100
# Below the limit of requests in flight at one provider, so that other questions find a place.
_REQUESTS_AT_ONCE = 4


def numbered(height: int) -> Request:
    """Return the request for the place of the canonical block of a height."""

    def read(value: Any) -> Link:
        link = decode.link(value)
        if link.number != height:
            raise fields.wrong("block number", str(height), link.number)
        return link

    return Request("eth_getBlockByNumber", (hex(height), False), read)


class Ancestors:
    """Proves that blocks are ancestors of our lowest kept block.

    One address can be many nodes, and answer about our tip from a good one and about an old block
    from one that is stuck on another branch. Only the links between the two are proof.

    Blocks that were kept before need no question: they are linked to those that are kept now.

    Args:
        rpc: Asks the nodes.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._links: dict[str, Link] = {}

    def follows(self, before: Chain, after: Chain) -> None:
        """Remember the blocks that a change of our chain let go of at its lower end."""
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
            The proven blocks, and those that the next call may prove: so far, each header that was
            asked for has come.
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
        """Return the known blocks from ``bottom`` down to a height, as far as they are linked."""
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
        if not self._rpc.is_compared or any(isinstance(one, SourceError) for one in answers):
            return False
        # The followed node can have named a wrong parent, or be the one on another branch. Each
        # node by itself, as one that names wrong parents must not spoil what another one shows.
        requests = [numbered(height) for height in (*numbers, end.number)]
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
                    return await self._rpc.batch([numbered(number) for number in part])
                except SourceError as error:
                    return [error] * len(part)

        answers = await asyncio.gather(*map(fetch, parts))
        return [answer for part in answers for answer in part]

    def _forget(self, path: list[Link], bottom: Link) -> None:
        """Forget blocks that are too far down, and with too many all that are not linked."""
        if len(self._links) > 2 * MAX_LINKED_BLOCKS:
            self._links = {link.hash: link for link in path}
        floor = bottom.number - MAX_LINKED_BLOCKS
        self._links = {key: link for key, link in self._links.items() if link.number >= floor}


def _by_hash(answers: Collection[Any]) -> dict[str, Link]:
    return {answer.hash: answer for answer in answers if isinstance(answer, Link)}
