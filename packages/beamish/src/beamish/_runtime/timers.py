"""Timers of one event loop: a heap behind a single timer of the loop.

The event loop compares its own timers in Python at each push and pop; the tuples in this heap
compare in C. `Timers.cancel` marks a timer and leaves it in the heap, which is rebuilt when more
than half of it is cancelled.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context

from beamish.pid import Pid, Ref

_BATCH_SIZE = 256  # timers that fire before control returns to the event loop
_MIN_CANCELLED = 64  # cancelled timers below which the heap is not rebuilt


class Timer(Ref):
    """One timer; ``callback`` becomes ``None`` when it fires or is cancelled."""

    __slots__ = ("callback", "owner", "when")

    def __init__(self, when: float, callback: Callable[[], None] | None) -> None:
        super().__init__()
        self.when: float = when
        self.callback: Callable[[], None] | None = callback
        self.owner: Pid | None = None  # the process whose exit cancels it


class Timers:
    """All timers of one event loop; times are in seconds of its clock."""

    __slots__ = ("_armed_for", "_cancelled", "_context", "_handle", "_heap", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self._loop = loop
        self._context = context
        self._heap: list[tuple[float, int, Timer]] = []
        self._cancelled = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds`` seconds."""
        timer = Timer(self._loop.time() + seconds, callback)
        heapq.heappush(self._heap, (timer.when, timer.serial, timer))
        if self._handle is None or timer.when < self._armed_for:
            self._arm()
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Cancel ``timer``; return its remaining seconds, or ``None`` if it is over."""
        left = self.left(timer)
        if left is not None:
            timer.callback = None
            self._cancelled += 1
            if self._cancelled > _MIN_CANCELLED and self._cancelled * 2 > len(self._heap):
                self._rebuild()
        return left

    def left(self, timer: Timer) -> float | None:
        """Return the seconds until ``timer`` fires, or ``None`` if it is over."""
        if timer.callback is None:
            return None
        return max(0.0, timer.when - self._loop.time())

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(self._heap)
        self._cancelled = 0

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = self._heap[0][0]
        self._handle = self._loop.call_at(self._armed_for, self._fire, context=self._context)

    def _fire(self) -> None:
        self._handle = None
        # The loop fires timers early by up to the resolution of its clock. Without the maximum,
        # the timer that it was armed for would not be due, and would be armed again.
        due = max(self._loop.time(), self._armed_for)
        try:
            for _ in range(_BATCH_SIZE):
                if not self._heap or self._heap[0][0] > due:
                    break
                self._pop()
        finally:
            if self._heap and self._handle is None:
                self._arm()

    def _pop(self) -> None:
        timer = heapq.heappop(self._heap)[2]
        callback, timer.callback = timer.callback, None
        if callback is None:
            self._cancelled -= 1
        else:
            callback()
