"""Locks on the keys of a registry: first come, first served, released when the registry dies."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class KeyLock:
    """The lock of one key, and the tasks that wait for it in order."""

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
            await turn  # `release` hands the lock over
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Cancelled after the lock was handed over: pass it on, or it is never released.
                self.release()
            raise

    def release(self) -> bool:
        """Hand the lock to the next waiting task; return whether there was one."""
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
    """The locks of one registry; a key that is not locked takes no memory."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[Hashable, KeyLock] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Hold the lock of ``key`` within the block."""
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
        """Raise ``error`` in all waiting tasks."""
        for lock in self._locks.values():
            lock.give_up(error)
