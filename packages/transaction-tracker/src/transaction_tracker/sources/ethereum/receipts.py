"""Fetch all receipts of a block in one call, for blocks with many hits."""

import asyncio
from typing import Any

from transaction_tracker.domain import Link
from transaction_tracker.slices import Steps
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.classify import METHOD_NOT_FOUND
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# With more hits than this, all receipts of the block cost less than single receipts.
MANY_HITS = 100
BLOCK_RECEIPTS = "eth_getBlockReceipts"


class _CallLimitedError(RateLimitedError):
    """The node limits this call, but answered other calls of the same request."""


class BlockReceipts:
    """Fetches all receipts of blocks with many hits, if the node supports it.

    After a block with many hits, the receipts of the next block are prefetched: they are requested
    at the same time as the block, because a node can take long for both.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.

    Source:
        ``eth_getBlockReceipts``.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context
        self._is_known = True
        self._had_many = False
        self._early: tuple[str, asyncio.Task[Any]] | None = None

    def prefetch(self, block_hash: str) -> None:
        """Start to fetch the receipts of a block, after a block with many hits."""
        if self._early is not None:
            self._had_many = False  # the last prefetch was not used: that block had few hits
            self.forget()
        if self._had_many:
            self._early = block_hash, asyncio.create_task(self._try(block_hash))

    def requests(self, block_hash: str) -> list[Request]:
        """Return the request for a block with many hits, for the caller to send.

        Returns:
            The request; none if it was prefetched, or if the node does not have the method.
        """
        if not self._is_known or (self._early is not None and self._early[0] == block_hash):
            return []
        self._had_many = True
        return [self._request(block_hash)]

    def note(self, answer: object) -> None:
        """Handle a result: stop using the method if the node does not have it."""
        if isinstance(answer, ApplicationError) and answer.code == METHOD_NOT_FOUND:
            self._is_known = False

    async def of(self, link: Link, hits: int) -> list[decode.Receipt] | None:
        """Return the receipts of a block; ``None`` if the caller must fetch single receipts.

        Args:
            link: The block.
            hits: Number of receipts that the caller needs.

        Raises:
            SourceError: The request failed for a reason that single receipts would meet too.
        """
        # With a node that refuses batches, each single receipt would be a request of its own.
        self._had_many = self._is_known and hits > min(MANY_HITS, self._rpc.calls_per_request)
        if not self._had_many:
            return None
        try:
            return await self._answer(link.hash) or []
        except (ApplicationError, ServerError, MalformedError, _CallLimitedError) as error:
            # The response can be too large, or one receipt can be invalid: most single receipts can
            # still be fetched.
            self.note(error)
            return None

    def forget(self) -> None:
        """Cancel a prefetch."""
        early, self._early = self._early, None
        if early is not None:
            early[1].cancel()

    async def _answer(self, block_hash: str) -> Any:
        if self._early is None or self._early[0] != block_hash:
            return await self._fetch(block_hash)
        (_, prefetch), self._early = self._early, None
        answer = await prefetch
        if isinstance(answer, RateLimitedError):
            raise answer
        # The node possibly did not have the block at the time of the prefetch: try again.
        return await self._fetch(block_hash) if isinstance(answer, SourceError) else answer

    async def _try(self, block_hash: str) -> Any:
        """Return an error as a value: an unused task must not log an unretrieved exception."""
        try:
            return await self._fetch(block_hash)
        except SourceError as error:
            return error

    async def _fetch(self, block_hash: str) -> Any:
        (answer,) = await self._rpc.batch([self._request(block_hash)])
        if isinstance(answer, RateLimitedError):
            raise _CallLimitedError(str(answer), answer.retry_after)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def _request(self, block_hash: str) -> Request:
        return Request(BLOCK_RECEIPTS, (block_hash,), self._read)

    def _read(self, value: Any) -> Steps[list[decode.Receipt]]:
        return decode.receipts_steps(value, self._context.profile)
