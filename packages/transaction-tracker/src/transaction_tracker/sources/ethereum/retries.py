"""Asking again for what a node has announced and cannot tell yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from transaction_tracker.sources.errors import NotYetError

T = TypeVar("T")

# A node announces a block a moment before it can tell what is in it.
NOT_YET_WAITS = (0.05, 0.1, 0.2)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again a few times when the node does not know it yet."""
    for wait in NOT_YET_WAITS:
        try:
            return await ask()
        except NotYetError:
            await asyncio.sleep(wait)
    return await ask()
