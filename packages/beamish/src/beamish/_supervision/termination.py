"""Stopping children: ordered, waited for, killed if need be."""

import asyncio
import math
from collections.abc import Iterable
from typing import Any

from beamish._runtime.process import OnDeath, Process
from beamish._runtime.runtime import running
from beamish._server.requests import safe_repr
from beamish._supervision.reports import log
from beamish._supervision.specs import title_of
from beamish.child_spec import ChildSpec
from beamish.pid import Pid
from beamish.results import is_clean

_SLICE_SECONDS = 0.005  # of stopping children before the loop's other work has its turn


class Ending:
    """Children that are being stopped, side by side: ordered, waited for, killed if need be.

    Args:
        supervisor: The process that stops them.
    """

    def __init__(self, supervisor: Pid) -> None:
        self._supervisor = supervisor
        self._runtime = running()
        self._left: dict[Pid, tuple[ChildSpec, Process, float]] = {}  # the last: until when
        self._timers: dict[float, Any] = {}  # one for all that have so many seconds
        self._all_dead: asyncio.Future[None] | None = None

    def order(self, pid: Pid, spec: ChildSpec) -> None:
        """Tell one child to end."""
        process: Process | None = pid._process
        if process is None:
            return
        seconds = spec.shutdown if isinstance(spec.shutdown, int | float) else math.inf
        self._left[pid] = spec, process, self._runtime.loop.time() + seconds
        process.watch(OnDeath(self._died))
        # Unlink before the exit signal: a child that dies now must not look like a crash.
        process.unlink(self._supervisor)
        if spec.shutdown == "brutal_kill":
            process.kill("killed")
        else:
            if spec.shutdown is not None and spec.shutdown not in self._timers:
                self._look_in(seconds, seconds)
            process.signal(self._supervisor, "shutdown")

    def _look_in(self, delay: float, seconds: float) -> None:
        timers = self._runtime.timers
        self._timers[seconds] = timers.after(delay, lambda: self._kill(seconds))

    def _kill(self, seconds: float) -> None:
        """Kill those who had so many seconds and live on; look again when others have had them."""
        del self._timers[seconds]
        now, next_end = self._runtime.loop.time(), math.inf
        for pid, (spec, process, end) in list(self._left.items()):
            if spec.shutdown != seconds:
                continue
            if end > now:
                next_end = min(next_end, end)
                continue
            log.error(
                "supervisor %r had to kill %s %r: it did not end within %g s",
                self._supervisor,
                title_of(spec),
                pid,
                seconds,
            )
            process.kill("killed")
        if next_end < math.inf:
            self._look_in(next_end - now, seconds)

    def _died(self, pid: Pid, reason: Any) -> None:
        spec, _, _ = self._left.pop(pid)
        killed = reason == "killed" if isinstance(reason, str) else False
        if not is_clean(reason) and not killed:
            self._log_end(pid, spec, reason)
        if not self._left and self._all_dead is not None and not self._all_dead.done():
            self._all_dead.set_result(None)

    def _log_end(self, pid: Pid, spec: ChildSpec, reason: Any) -> None:
        log.warning(
            "%s %r of supervisor %r ended for %s while it was being stopped",
            title_of(spec),
            pid,
            self._supervisor,
            safe_repr(reason),
        )

    async def wait(self) -> None:
        """Wait until all of them are dead; suspends only if some are not."""
        try:
            if self._left:
                self._all_dead = self._runtime.loop.create_future()
                await self._all_dead
        finally:
            for timer in self._timers.values():
                self._runtime.timers.cancel(timer)


async def end(supervisor: Pid, pid: Pid, spec: ChildSpec) -> None:
    """Stop one child and wait until it is dead."""
    ending = Ending(supervisor)
    ending.order(pid, spec)
    await ending.wait()


async def end_all(supervisor: Pid, children: Iterable[tuple[Pid, ChildSpec]]) -> None:
    """Stop many children in one pass, giving the event loop its turns, and wait for them all."""
    ending = Ending(supervisor)
    loop = running().loop
    pause_at = loop.time() + _SLICE_SECONDS
    for count, (pid, spec) in enumerate(children):
        ending.order(pid, spec)
        if count % 64 == 63 and loop.time() > pause_at:
            await asyncio.sleep(0)
            pause_at = loop.time() + _SLICE_SECONDS
    await ending.wait()
