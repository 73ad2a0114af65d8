"""Locks on the keys of a registry: first come, first served, over when the registry dies."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class KeyLock:
    """Who holds a key, and who waits for it, in the order they asked."""

    __slots__ = ("held", "waiting")

    def __init__(self) -> None:
        self.held = False
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self.held:
            self.held = True
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn  # whoever lets go hands it over
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # it was handed over just when its taker gave up
            raise

    def release(self) -> bool:
        """Hand the key to the next who still waits; say whether anybody holds it now."""
        self.held = False
        while self.waiting and not self.held:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.held = True
        return self.held

    def give_up(self, error: Exception) -> None:
        for turn in self.waiting:
            if not turn.done():
                turn.set_exception(error)
        self.waiting.clear()


class KeyLocks:
    """The locks of one registry; a key that nobody holds costs nothing."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[Hashable, KeyLock] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Keep others who hold ``key`` out of the block."""
        lock = self._locks.setdefault(key, KeyLock())
        held = False
        try:
            await lock.acquire()
            held = True
            yield
        finally:
            taken = lock.release() if held else lock.held
            if not taken and self._locks.get(key) is lock:
                del self._locks[key]

    def give_up(self, error: Exception) -> None:
        """Raise ``error`` at all who wait."""
        for lock in self._locks.values():
            lock.give_up(error)
