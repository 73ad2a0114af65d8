"""`LeasedRuntime`: the runtime of a host, in which callbacks begin only while the lease lasts.

A host owns its shard for the time of its lease, which it renews in the store. Without a renewal,
it must stop acting before the lease is over in the store, because another host can then own the
shard. It cannot know how long it was frozen, so it reads the clock before every callback: its
budget is always used up, and each message, call and timer asks `LeasedRuntime.refill_budget`.

Not stopped: the rest of an async callback after its ``await``, and asyncio tasks that a callback
has created. Their effects need the fence (`Cluster.fence`).
"""

import asyncio
from typing import Any

from beamish._runtime.runtime import SLICE_SECONDS, Runtime


class LeasedRuntime(Runtime):
    """A runtime that begins no callback after the end of a lease.

    Args:
        loop: Its event loop. The lease is over until the first `renew`.
    """

    __slots__ = ("_lease_end", "_renewed", "_stalled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._lease_end = 0.0
        self._renewed = asyncio.Event()
        self._stalled = False

    @property
    def is_leased(self) -> bool:
        """Whether a callback can begin now."""
        return self.loop.time() < self._lease_end

    def renew(self, end: float) -> None:
        """Resume the callbacks: they can begin until ``end``, in the time of the event loop."""
        self._lease_end = end
        self._renewed.set()
        if self._stalled:
            self._stalled = False
            self.loop.call_soon(self._drain, context=self.context)

    async def leased(self) -> None:
        """Wait until callbacks can begin."""
        while not self.is_leased:
            self._renewed.clear()
            await self._renewed.wait()

    async def yield_to_loop(self) -> None:
        """Suspend, also until callbacks can begin; then start a new time slice."""
        await asyncio.sleep(0)
        await self.leased()
        self._begin_slice()

    def _begin_slice(self) -> None:
        self.interrupted: asyncio.Task[Any] | None = None
        self._slice_end = self.loop.time() + SLICE_SECONDS
        self.budget = 0

    def refill_budget(self) -> bool:
        """Return whether the time slice and the lease last; the budget stays used up."""
        now = self.loop.time()
        return now < self._slice_end and now < self._lease_end

    def _drain(self) -> None:
        self._begin_slice()
        run_queue = self._run_queue
        try:
            while run_queue and self.refill_budget():
                run_queue.popleft().turn()
        finally:
            self._drain_scheduled = bool(run_queue)
            if run_queue:
                # Without the lease, `renew` schedules it: the loop would be busy until then.
                self._stalled = not self.is_leased
                if not self._stalled:
                    self.loop.call_soon(self._drain, context=self.context)
