"""What is ready to run in a simulated event loop, and who is next.

The steps of one task, the turns of one process and one timer each stand in a lane of their own,
and a seed picks among the lanes. Plain callbacks share a single lane: asyncio promises that they
run in the order in which they were asked for.
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

# Lanes are known by numbers given in the order of creation: hashes and addresses differ from one
# run of the program to the next.
Key: TypeAlias = tuple[int, int]
_CALLBACKS: Key = (0, 0)
_TASK, _PROCESS, _TIMER = 1, 2, 3


class Lanes:
    """The handles that may run now.

    Args:
        random: Picks who is next.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._queues: dict[Key, deque[asyncio.Handle]] = {}
        self._keys: list[Key] = []  # of the lanes that hold something, sorted
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Forget everything."""
        self._queues.clear()
        self._keys.clear()

    def append(self, handle: asyncio.Handle) -> None:
        """Put ``handle`` at the end of its lane."""
        self._put(self._key(handle), handle)

    def append_timer(self, handle: asyncio.TimerHandle) -> None:
        """Put a timer that is due into a lane of its own."""
        self._put((_TIMER, next(self._numbers)), handle)

    def take(self) -> asyncio.Handle | None:
        """Take out the next handle, if there is any."""
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
        # A task asks for its first step when it is made, so that these follow one another.
        number = self._tasks.get(task)
        if number is None:
            number = self._tasks[task] = next(self._numbers)
        return number


def owner_of(handle: asyncio.Handle) -> Any:
    """Return what the callback of ``handle`` is a method of: for a step, the task."""
    callback: Any = handle._callback  # type: ignore[attr-defined] # as asyncio's own logs do
    while isinstance(callback, partial):
        callback = callback.func
    return getattr(callback, "__self__", None)
