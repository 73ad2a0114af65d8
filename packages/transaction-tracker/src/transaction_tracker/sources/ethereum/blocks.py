"""Fetch blocks with their transactions: one by its hash, or consecutive blocks by number."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.slices import Steps, run_in_slices
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.errors import MalformedError, NotYetError, SourceError
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.classify import is_null_round
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.retries import retry_not_yet
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# About 1.5 MB of JSON: large enough to be bound by bandwidth, small enough to parse at once.
_TRANSACTIONS_PER_REQUEST = 2_000
MAX_BLOCKS_PER_REQUEST = 32
_FIRST_BLOCKS_PER_REQUEST = 4
# Below the limit of requests in flight at one provider, so that other requests get a slot.
_REQUESTS_AT_ONCE = 4
# Some nodes send an error, not ``null``, for a block above their head. After such an error, this
# many head requests are sent without the next block: each error can cost requests to other
# providers.
_POLLS_WITHOUT_NEXT = 100


class Blocks:
    """Fetches blocks.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context
        self._per_request = _FIRST_BLOCKS_PER_REQUEST
        self._next: FetchedBlock | None = None
        self._polls_without_next = 0

    def request_next(self, tip: Link | None) -> list[Request]:
        """Return the request for the block above our tip, to send with the head request.

        Most head requests find no new block or one. Fetching the next block along with the head
        saves one request per block; without a new block, the result is ``null``.

        Returns:
            The request; none if the next block can have another number, or if the node refuses
            batches.
        """
        self._next = None
        profile = self._context.profile
        self._polls_without_next = max(0, self._polls_without_next - 1)
        if tip is None or self._rpc.calls_per_request < 2 or self._polls_without_next:
            return []
        if profile.null_rounds or not profile.parent_links:
            return []
        return [self._by_number(tip.number + 1)]

    def take_next(self, answer: Any) -> None:
        """Store the block above our tip until the next head request, for ``by_hash``."""
        if isinstance(answer, FetchedBlock):
            self._next = answer
        elif isinstance(answer, SourceError):
            self._polls_without_next = _POLLS_WITHOUT_NEXT

    def has(self, block_hash: str) -> bool:
        """Return whether the head request has fetched this block too."""
        return self._next is not None and self._next.link.hash == block_hash

    async def by_hash(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block by its hash, so that a reorganisation cannot replace it.

        A node can announce a block before it can send it: the request is repeated, and then sent to
        the other nodes.

        Raises:
            NotYetError: No provider has the block.
            SourceError: No provider sends a readable block.
        """
        if not self._context.profile.parent_links:
            return await self._linked_by_number(ref)
        if self._next is not None and self.has(ref.hash):
            found, self._next = self._next, None
            return await self._whole(found)
        try:
            found = await retry_not_yet(lambda: self._fetch(ref))
        except NotYetError:
            (found,) = await self._rpc.elsewhere([self._by_hash(ref)])
            if found is None:
                raise
        return await self._whole(found)

    async def other_version(self, block: FetchedBlock, chain: KeptChain) -> FetchedBlock | None:
        """Fetch a block from the other nodes; see ``ChainSource.other_version``.

        If our chain holds the other parent, the nodes that sent the first version are wrong.
        """
        if not self._context.profile.parent_links:
            return None
        versions = await self._rpc.versions(self._by_hash(block.link.ref))
        blocks = {
            name: found for name, found in versions.items() if isinstance(found, FetchedBlock)
        }
        wrong = [name for name, found in blocks.items() if found.link.parent == block.link.parent]
        for found in blocks.values():
            if found.link.parent != block.link.parent:
                for name in wrong if _builds_on(found.link, chain) else ():
                    self._rpc.blame(name, block.link.number)
                return await self._whole(found)
        return None

    async def compare_listings(self, ref: BlockRef, key: str) -> None:
        """Record a fault of the nodes that omit a transaction of a block, if they are few.

        The block's hash commits to its transactions, so all nodes must list the same transactions.
        """
        versions = await self._rpc.versions(self._by_hash(ref))
        blocks = {
            name: found for name, found in versions.items() if isinstance(found, FetchedBlock)
        }
        lacking = [name for name, found in blocks.items() if key not in found.ids]
        for name in lacking if 2 * len(lacking) < len(blocks) else ():
            self._rpc.left_out(name, ref.number)

    async def by_number(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks concurrently; see ``ChainSource.blocks``."""
        # Without parent hashes, the parent of the first block is the block below it.
        has_links = self._context.profile.parent_links
        below = 0 if has_links or numbers.start == 0 else 1
        answers = await self._in_requests(range(numbers.start - below, numbers.stop))
        found: list[FetchedBlock] = []
        for answer in answers:
            if isinstance(answer, FetchedBlock):
                found.append(await self._whole(answer))
            elif not self._is_null_round(answer):
                if isinstance(answer, SourceError) and len(found) <= below:
                    raise answer
                break
        self._adapt_size(found)
        return _linked(found if has_links else [*found[: 1 - below], *_with_parents(found)])

    # -- By hash

    def _by_hash(self, ref: BlockRef) -> Request:
        def read(value: Any) -> Steps[FetchedBlock]:
            found = yield from self._read(value, f"block {ref.number} ({ref.hash})")
            if found.link.hash != ref.hash:
                raise MalformedError(f"block {found.link.hash} came for block {ref.hash}")
            return found

        return Request("eth_getBlockByHash", (ref.hash, True), read)

    async def _fetch(self, ref: BlockRef) -> FetchedBlock:
        (answer,) = await self._rpc.batch([self._by_hash(ref)])
        if isinstance(answer, SourceError):
            raise answer
        if answer is None:
            raise NotYetError(f"{self._rpc} has no block {ref.number} ({ref.hash}) yet")
        found: FetchedBlock = answer
        return found

    async def _linked_by_number(self, ref: BlockRef) -> FetchedBlock:
        """Fetch a block on a chain without parent hashes, together with the block below it."""
        found = await self.by_number(range(ref.number, ref.number + 1))
        if not found:
            raise NotYetError(f"{self._rpc} has no block {ref.number} ({ref.hash}) yet")
        if found[0].link.hash != ref.hash:
            raise NotYetError(f"{self._rpc} has another block than {ref.hash} at {ref.number}")
        return found[0]

    # -- By number

    async def _in_requests(self, numbers: range) -> list[Any]:
        size = max(1, min(self._per_request, self._rpc.calls_per_request))
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        slots = asyncio.Semaphore(_REQUESTS_AT_ONCE)

        async def fetch(part: range) -> list[Any]:
            async with slots:
                try:
                    return await self._rpc.batch([self._by_number(number) for number in part])
                except SourceError as error:
                    return [error] * len(part)

        return [
            answer for answers in await asyncio.gather(*map(fetch, parts)) for answer in answers
        ]

    def _by_number(self, number: int) -> Request:
        def read(value: Any) -> Steps[FetchedBlock | None]:
            found = yield from self._read(value, f"block {number}")
            if self._context.profile.null_rounds and found.link.number < number:
                return None  # Forest sends the block before a null round
            if found.link.number != number:
                raise MalformedError(f"block {found.link.number} came for block {number}")
            return found

        return Request("eth_getBlockByNumber", (hex(number), True), read)

    def _is_null_round(self, answer: Any) -> bool:
        """Return whether a result can mean that the chain has no block with this number."""
        return self._context.profile.null_rounds and (answer is None or is_null_round(answer))

    def _adapt_size(self, blocks: Sequence[FetchedBlock]) -> None:
        if blocks:
            transactions = sum(len(block.ids) for block in blocks) / len(blocks)
            fitting = int(_TRANSACTIONS_PER_REQUEST / max(1.0, transactions))
            self._per_request = max(1, min(fitting, MAX_BLOCKS_PER_REQUEST))

    def _read(self, value: Any, name: str) -> Steps[FetchedBlock]:
        try:
            return (yield from decode.block_steps(value, self._context.profile))
        except MalformedError as error:
            raise MalformedError(f"{name}: {error}") from None

    # -- Blocks that list hashes

    async def _whole(self, block: FetchedBlock) -> FetchedBlock:
        """Fetch the transactions of a block that lists only their hashes."""
        if not block.hashes_only:
            return block
        (found,) = await self._rpc.elsewhere([self._by_hash(block.link.ref)])
        if isinstance(found, FetchedBlock) and not found.hashes_only:
            return found
        requests = [
            Request("eth_getTransactionByHash", (key,), lambda value: value) for key in block.ids
        ]
        answers = await self._rpc.batch(requests)
        body = [
            answer if isinstance(answer, dict) and answer.get("hash") == key else {"hash": key}
            for key, answer in zip(block.ids, answers, strict=True)
        ]
        value = _header(block.link) | {"transactions": body}
        return await run_in_slices(decode.block_steps(value, self._context.profile))


def _builds_on(link: Link, chain: KeptChain) -> bool:
    return any(link.is_child_of(kept) for kept in reversed(chain.links))


def _header(link: Link) -> dict[str, Any]:
    return {"number": hex(link.number), "hash": link.hash, "parentHash": link.parent}


def _linked(blocks: list[FetchedBlock]) -> list[FetchedBlock]:
    """Return the blocks before the first block whose parent is not the block before it."""
    for at in range(1, len(blocks)):
        if not blocks[at].link.is_child_of(blocks[at - 1].link):
            return blocks[:at]
    return blocks


def _with_parents(blocks: list[FetchedBlock]) -> list[FetchedBlock]:
    """Link each block to the block fetched below it, in place of its parent hash."""
    return [
        replace(above, link=replace(above.link, parent=below.link.hash))
        for below, above in pairwise(blocks)
    ]
