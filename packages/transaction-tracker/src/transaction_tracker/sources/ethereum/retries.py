"""Retry a request for data that a node has announced but cannot send yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from transaction_tracker.sources.errors import NotYetError

T = TypeVar("T")

# A node announces a block shortly before it can send the block.
NOT_YET_WAITS = (0.05, 0.1, 0.2)


async def retry_not_yet(request: Callable[[], Awaitable[T]]) -> T:
    """Return the result of ``request``; retry a few times after ``NotYetError``."""
    for wait in NOT_YET_WAITS:
        try:
            return await request()
        except NotYetError:
            await asyncio.sleep(wait)
    return await request()
