"""The time for which a program certainly owns its database, and blocks that need it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from transaction_tracker.store.errors import NotOwnerError

# How often a block checks the lease, at least.
_CHECK_SECONDS = 1.0

OwnedFor = Callable[[], float]
"""Returns for how many seconds no other program can own the database; 0 if one can now."""


def unlimited() -> float:
    """Return infinity: without a lease, a program owns its database until it closes it."""
    return math.inf


@asynccontextmanager
async def while_owned(owned_for: OwnedFor) -> AsyncIterator[None]:
    """Cancel the block when another program can own the database.

    Raises:
        NotOwnerError: The block was not entered, or was cancelled.
    """
    left = owned_for()
    if math.isinf(left):
        yield
        return
    # Not only by the timer: the block could send a whole request before the loop runs timers.
    if left <= 0:
        raise _ended()
    limit = asyncio.timeout(None)
    try:
        async with limit:
            timer = _OwnedTimer(owned_for, limit)
            try:
                yield
            finally:
                timer.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise _ended() from None


class _OwnedTimer:
    """Ends a time limit when the program no longer certainly owns the database."""

    def __init__(self, owned_for: OwnedFor, limit: asyncio.Timeout) -> None:
        self._owned_for = owned_for
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._check)

    def cancel(self) -> None:
        self._handle.cancel()

    def _check(self) -> None:
        left = self._owned_for()
        if left <= 0:
            self._limit.reschedule(self._loop.time())
            return
        self._handle = self._loop.call_later(min(left, _CHECK_SECONDS), self._check)


def _ended() -> NotOwnerError:
    return NotOwnerError("the lease of the database is not certain")
