"""The handles that are ready to run in a simulated event loop, and the choice of the next one.

Each task, each process and each timer has its own lane, and the seed picks among the lanes. Plain
callbacks share one lane, because asyncio guarantees that they run in the order of their calls.
"""

import asyncio
import itertools
from bisect import insort
from collections import deque
from functools import partial
from random import Random
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from beamish._runtime.process import Process

# Lanes are numbered in the order of creation: hashes and addresses differ from run to run.
Key: TypeAlias = tuple[int, int]
_CALLBACKS: Key = (0, 0)
_TASK, _PROCESS, _TIMER = 1, 2, 3


class Lanes:
    """The handles that can run now.

    Args:
        random: Picks the next lane.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._queues: dict[Key, deque[asyncio.Handle]] = {}
        self._keys: list[Key] = []  # of the lanes that are not empty, sorted
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Remove all handles."""
        self._queues.clear()
        self._keys.clear()

    def append(self, handle: asyncio.Handle) -> None:
        """Append ``handle`` to its lane."""
        self._put(self._key(handle), handle)

    def append_timer(self, handle: asyncio.TimerHandle) -> None:
        """Add a due timer in its own lane."""
        self._put((_TIMER, next(self._numbers)), handle)

    def take(self) -> asyncio.Handle | None:
        """Remove and return the next handle; return ``None`` if all lanes are empty."""
        while self._keys:
            place = int(self._random.random() * len(self._keys))
            key = self._keys[place]
            queue = self._queues[key]
            handle = queue.popleft()
            if not queue:
                del self._keys[place], self._queues[key]
            if not handle.cancelled():
                return handle
        return None

    def _put(self, key: Key, handle: asyncio.Handle) -> None:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            insort(self._keys, key)
        queue.append(handle)

    def _key(self, handle: asyncio.Handle) -> Key:
        owner = owner_of(handle)
        if isinstance(owner, asyncio.Task):
            return (_TASK, self._number(owner))
        if isinstance(owner, Process):
            return (_PROCESS, owner.pid.serial)
        return _CALLBACKS

    def _number(self, task: asyncio.Task[Any]) -> int:
        # A task schedules its first step when it is created, so numbers follow the creation.
        number = self._tasks.get(task)
        if number is None:
            number = self._tasks[task] = next(self._numbers)
        return number


def owner_of(handle: asyncio.Handle) -> Any:
    """Return the object whose method ``handle`` calls: the task, for a step of a task."""
    callback: Any = handle._callback  # type: ignore[attr-defined] # asyncio's own logs read it too
    while isinstance(callback, partial):
        callback = callback.func
    return getattr(callback, "__self__", None)
