"""The check with all providers before blocks are undone; a refusal is reported if it lasts."""

import asyncio
from collections.abc import Callable

from transaction_tracker.domain import BlockRef
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.sources import ChainSource, MalformedError


class UndoCheck:
    """Asks the providers before blocks are undone that were final, or before all are undone.

    Args:
        source: The source, which asks its providers.
        status: Gets the report of a refusal.
        block_time: Returns the seconds between blocks, which can change.
    """

    def __init__(
        self, source: ChainSource, status: FollowerStatus, block_time: Callable[[], float]
    ) -> None:
        self._source = source
        self._status = status
        self._block_time = block_time
        self._refused_since: float | None = None

    async def require(self, block: BlockRef, reason: str) -> None:
        """Raise an error unless a block can be undone.

        A provider that lags or does not respond for a moment can agree soon. So the source is
        reported as halted only once the refusal has lasted; until then, only the error is raised.

        Args:
            block: The block.
            reason: Why it would be undone, in words for an operator.

        Raises:
            MalformedError: The block cannot be undone now.
        """
        objection = await self._source.objection_to_undo(block)
        if objection is None:
            return
        text = f"{reason}, and nothing is taken back: {objection}"
        now = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = now
        refused = now - self._refused_since
        if refused >= limit_seconds(self._block_time()):
            self._status.halted(text, refused)
        raise MalformedError(text)

    def passed(self) -> None:
        """Record that no refused undo is pending: the head is ours, or blocks can be undone."""
        if self._refused_since is not None:
            self._refused_since = None
            self._status.resumed()
