"""Blocks that are taken back only once the providers agree: a refusal is reported when it lasts."""

import asyncio
from collections.abc import Callable

from transaction_tracker.domain import BlockRef
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.sources import ChainSource, MalformedError


class UndoCheck:
    """Asks the providers before blocks are taken back whose loss cannot be made good.

    Args:
        source: Who asks the providers.
        status: Where a refusal is reported.
        block_time: Returns the seconds from block to block, which can change.
    """

    def __init__(
        self, source: ChainSource, status: FollowerStatus, block_time: Callable[[], float]
    ) -> None:
        self._source = source
        self._status = status
        self._block_time = block_time
        self._refused_since: float | None = None

    async def require(self, block: BlockRef, reason: str) -> None:
        """Raise an error while a block cannot be taken back.

        A provider that is out of reach for a moment, or behind, can agree soon. So the follower
        is halted only once the refusal has lasted; until then, the error tells it.

        Args:
            block: The block.
            reason: Why it would be taken back, and what that would cost.

        Raises:
            MalformedError: It cannot be taken back now.
        """
        objection = await self._source.objection_to_undo(block)
        if objection is None:
            return
        text = f"{reason}, and nothing is taken back: {objection}"
        now = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = now
        if now - self._refused_since >= limit_seconds(self._block_time()):
            self._status.halted(text)
        raise MalformedError(text)

    def passed(self) -> None:
        """Note that the way to the head is free: it is on our chain, or blocks were taken back."""
        if self._refused_since is not None:
            self._refused_since = None
            self._status.resumed()
