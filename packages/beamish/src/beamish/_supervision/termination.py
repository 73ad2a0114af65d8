"""Stops children: sends each an exit signal, waits, and kills it after its shutdown time."""

import asyncio
import math
from collections.abc import Iterable
from typing import Any, Self

from beamish._diagnostics.brief import brief
from beamish._runtime.process import OnDeath, Process
from beamish._runtime.runtime import running
from beamish._supervision.reports import log
from beamish._supervision.specs import title_of
from beamish.child_spec import ChildSpec
from beamish.pid import Pid
from beamish.results import is_clean

_SLICE_SECONDS = 0.005  # of stopping children before control returns to the event loop


class Termination:
    """Children that are being stopped concurrently.

    A context manager, which cancels the shutdown times at its end. As in OTP, they are waits of
    the supervisor: when it is killed meanwhile, a child that is still alive is not killed later.

    Args:
        supervisor: The process that stops them.
    """

    def __init__(self, supervisor: Pid) -> None:
        self._supervisor = supervisor
        self._runtime = running()
        # The children that are still alive, and the loop time at which each is killed.
        self._left: dict[Pid, tuple[ChildSpec, Process, float]] = {}
        # One timer for each shutdown time, not for each child: there can be 100,000 children.
        self._timers: dict[float, Any] = {}
        self._all_dead: asyncio.Future[None] | None = None

    def terminate(self, pid: Pid, spec: ChildSpec) -> None:
        """Send the exit signal to one child, and start its shutdown time."""
        process: Process | None = pid._process
        if process is None:
            return
        seconds = spec.shutdown if isinstance(spec.shutdown, int | float) else math.inf
        self._left[pid] = spec, process, self._runtime.loop.time() + seconds
        process.watch(OnDeath(self._died))
        # Unlink before the exit signal: otherwise the exit of the child would count as a crash.
        process.unlink(self._supervisor)
        if spec.shutdown == "brutal_kill":
            process.kill("killed")
        else:
            if spec.shutdown is not None and spec.shutdown not in self._timers:
                self._start_timer(seconds, seconds)
            process.signal(self._supervisor, "shutdown")

    def _start_timer(self, delay: float, seconds: float) -> None:
        timers = self._runtime.timers
        self._timers[seconds] = timers.after(delay, lambda: self._kill(seconds))

    def _kill(self, seconds: float) -> None:
        """Kill the children whose shutdown time of ``seconds`` is over; set a timer for the rest.

        Children with the same shutdown time can have got their exit signals at different times.
        """
        del self._timers[seconds]
        now, next_end = self._runtime.loop.time(), math.inf
        for pid, (spec, process, end) in list(self._left.items()):
            if spec.shutdown != seconds:
                continue
            if end > now:
                next_end = min(next_end, end)
                continue
            log.error(
                "supervisor %r had to kill %s %r: it did not exit within its shutdown time of %g s",
                self._supervisor,
                title_of(spec),
                pid,
                seconds,
            )
            process.kill("killed")
        if next_end < math.inf:
            self._start_timer(next_end - now, seconds)

    def _died(self, pid: Pid, reason: Any) -> None:
        spec, _, _ = self._left.pop(pid)
        killed = reason == "killed" if isinstance(reason, str) else False
        if not is_clean(reason) and not killed:
            self._log_exit(pid, spec, reason)
        if not self._left and self._all_dead is not None and not self._all_dead.done():
            self._all_dead.set_result(None)

    def _log_exit(self, pid: Pid, spec: ChildSpec, reason: Any) -> None:
        log.warning(
            "%s %r of supervisor %r exited with %s while it was being stopped",
            title_of(spec),
            pid,
            self._supervisor,
            brief(reason),
        )

    async def wait(self) -> None:
        """Wait until all of them are dead; suspend only if some are alive."""
        if self._left:
            self._all_dead = self._runtime.loop.create_future()
            await self._all_dead

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for timer in self._timers.values():
            self._runtime.timers.cancel(timer)


async def terminate_child(supervisor: Pid, pid: Pid, spec: ChildSpec) -> None:
    """Stop one child and wait until it is dead."""
    with Termination(supervisor) as termination:
        termination.terminate(pid, spec)
        await termination.wait()


async def terminate_children(supervisor: Pid, children: Iterable[tuple[Pid, ChildSpec]]) -> None:
    """Stop children concurrently and wait until all are dead.

    Yields to the event loop between exit signals, because there can be very many children.
    """
    loop = running().loop
    pause_at = loop.time() + _SLICE_SECONDS
    with Termination(supervisor) as termination:
        for count, (pid, spec) in enumerate(children):
            termination.terminate(pid, spec)
            if count % 64 == 63 and loop.time() > pause_at:
                await asyncio.sleep(0)
                pause_at = loop.time() + _SLICE_SECONDS
        await termination.wait()
