"""Timers of one event loop: a heap of our own behind a single loop timer.

The loop's own timers compare in Python at each push and pop; tuples compare in C. Cancelling
marks a timer and leaves it in the heap, which is rebuilt when most of it is cancelled.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context

from beamish.pid import Pid, Ref

_BATCH = 256  # timers that fire before the loop's other work has its turn
_FEW_CANCELLED = 64  # not worth rebuilding the heap for


class Timer(Ref):
    """One timer; it holds its callback until it fires or is cancelled."""

    __slots__ = ("callback", "owner", "when")

    def __init__(self, when: float, callback: Callable[[], None] | None) -> None:
        super().__init__()
        self.when: float = when
        self.callback: Callable[[], None] | None = callback
        self.owner: Pid | None = None  # the process that it dies with


class Timers:
    """All timers of one event loop, in seconds of its clock."""

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
        """Cancel ``timer``; return the seconds it had left, or ``None`` if it is over."""
        left = self.left(timer)
        if left is not None:
            timer.callback = None
            self._cancelled += 1
            if self._cancelled > _FEW_CANCELLED and self._cancelled * 2 > len(self._heap):
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
        # A coarse loop clock may call us a little early: what it was armed for counts as due.
        due = max(self._loop.time(), self._armed_for)
        try:
            for _ in range(_BATCH):
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
