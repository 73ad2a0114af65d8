"""All receipts of a block in one answer, for blocks with many hits."""

import asyncio
from typing import Any

from transaction_tracker.domain import Link
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

# From so many hits on, the receipts of the whole block cost less than those of the hits.
MANY_HITS = 100
BLOCK_RECEIPTS = "eth_getBlockReceipts"


class _CallLimitedError(RateLimitedError):
    """The node limits this call, and answered others of the same request."""


class BlockReceipts:
    """Asks for the receipts of whole blocks, where that is worth it and the node can.

    After a block with many hits the next one's receipts are asked for together with the block
    itself, and not only once it is known what is in it: a node takes its time for both.

    Args:
        rpc: Who asks the nodes.
        context: The chain.

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
        """Ask early for those of a block that is being fetched, when they will be of use."""
        if self._early is not None:
            self._had_many = False  # the last ones were of no use: that block had few hits
            self.forget()
        if self._had_many:
            self._early = block_hash, asyncio.create_task(self._try(block_hash))

    def requests(self, block_hash: str) -> list[Request]:
        """Return the request for a block with many hits, for the caller to send.

        Returns:
            Nothing if they were asked for early, or the node does not have the method.
        """
        if not self._is_known or (self._early is not None and self._early[0] == block_hash):
            return []
        self._had_many = True
        return [self._request(block_hash)]

    def note(self, answer: object) -> None:
        """Ask a node no more that does not have the method."""
        if isinstance(answer, ApplicationError) and answer.code == METHOD_NOT_FOUND:
            self._is_known = False

    async def of(self, link: Link, hits: int) -> list[decode.Receipt] | None:
        """Return the receipts of a block, or ``None`` to ask for those of the hits one by one.

        Args:
            link: The block.
            hits: How many of its transactions are of interest.

        Raises:
            SourceError: No answer came, and asking in another way would not help.
        """
        # Where a node refuses batches, each receipt would be a request of its own.
        self._had_many = self._is_known and hits > min(MANY_HITS, self._rpc.calls_per_request)
        if not self._had_many:
            return None
        try:
            return await self._answer(link.hash) or []
        except (ApplicationError, ServerError, MalformedError, _CallLimitedError) as error:
            # Too much at once, or one receipt that spoils all: one by one, most can be had.
            self.note(error)
            return None

    def forget(self) -> None:
        """Let go of what was asked early."""
        early, self._early = self._early, None
        if early is not None:
            early[1].cancel()

    async def _answer(self, block_hash: str) -> Any:
        if self._early is None or self._early[0] != block_hash:
            return await self._ask(block_hash)
        (_, asked), self._early = self._early, None
        answer = await asked
        if isinstance(answer, RateLimitedError):
            raise answer
        # The block was not there yet, perhaps; now it is.
        return await self._ask(block_hash) if isinstance(answer, SourceError) else answer

    async def _try(self, block_hash: str) -> Any:
        """Give an error as an answer: nobody may come and ask for it."""
        try:
            return await self._ask(block_hash)
        except SourceError as error:
            return error

    async def _ask(self, block_hash: str) -> Any:
        (answer,) = await self._rpc.batch([self._request(block_hash)])
        if isinstance(answer, RateLimitedError):
            raise _CallLimitedError(str(answer), answer.retry_after)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def _request(self, block_hash: str) -> Request:
        return Request(BLOCK_RECEIPTS, (block_hash,), self._read)

    def _read(self, value: Any) -> list[decode.Receipt]:
        return decode.receipts(value, self._context.profile)
