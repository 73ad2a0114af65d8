"""The scheduler of one event loop: its processes, its run queue, and their time slices.

A server has neither a thread nor a task of its own. A server that has messages is in the *run
queue*. One callback of the event loop, `_drain`, takes each server out of the queue and calls its
`turn`, which handles some of its messages. A call to an idle server needs no turn: it runs on the
caller's stack (a *direct call*).

asyncio is cooperative: turns and direct calls are ordinary function calls, and a loop of them
would starve sockets, timers and other tasks. So all of them share one *time slice* of
`SLICE_SECONDS`. Reading the clock for each message would slow down the fast path, so a slice is
spent from a *budget*: the number of messages that can be handled before the clock is read again.
The rules:

1. Each handled message decrements ``budget``.
2. At 0, `refill_budget` reads the clock. Within the slice, it grants another `CLOCK_INTERVAL`
   messages.
3. After the slice, control must return to the event loop: `_drain` reschedules itself, a direct
   call is queued as a message instead, and a coroutine awaits `yield_to_loop`. The next slice
   starts in `_drain`, or when `yield_to_loop` returns.
4. A server enters the run queue when it is idle and gets a message, and after a turn or callback
   that leaves messages in its mailbox. The first entry schedules `_drain`.
5. Exit signals do not wait for a turn. `Process.die` queues them, and `deliver_exit_signals`
   delivers them before `die` returns, unless a delivery is running further down on the stack,
   which then delivers them.
6. Only code in the thread of the event loop can use its runtime; `check_loop` raises for any
   other. The exceptions are diagnostics: the watchdog's thread reads processes and changes
   ``suspects``, and a census can be taken in any thread.
"""

import asyncio
import time
from _thread import get_ident
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from os import environ
from typing import Any, Protocol

from beamish._runtime import hooks
from beamish._runtime.timers import Timers
from beamish.errors import BeamishError, NoProcessError
from beamish.pid import Pid

SLICE_SECONDS = 0.005
# Processes that start within this time share the number that says when.
CLOCK_SECONDS = 0.001
# Messages between two readings of the clock.
CLOCK_INTERVAL = 32


class Runnable(Protocol):
    """What the scheduler knows of a process: that it can run for a turn."""

    def turn(self) -> None:
        """Handle a bounded number of messages."""


class Runtime:
    """The processes, names and timers of one event loop; `running` creates it on first use."""

    __slots__ = (
        "__weakref__",
        "_clock",
        "_delivering",
        "_drain_scheduled",
        "_exit_signals",
        "_run_queue",
        "_slice_end",
        "budget",
        "context",
        "direct_dispatch",
        "eager_depth",
        "interrupted",
        "loop",
        "names",
        "processes",
        "restarting",
        "suspects",
        "thread",
        "throttle",
        "timers",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.thread: int = get_ident()
        self.throttle: Any = None  # of crash reports; created by the first report
        # The context of casts, messages and timers. Empty: the variables of the request that
        # happens to schedule a turn must not reach the other messages that it handles.
        self.context: Context = Context()
        self.timers: Timers = Timers(loop, self.context)
        self.names: dict[str, Pid] = {}
        self.processes: dict[Pid, None] = {}
        # Children that are being restarted, by last pid and by name, for `NoProcessError`.
        self.restarting: dict[Any, Any] = {}
        # Processes whose mailboxes can grow, and whether each is reported; see `mailboxes`.
        self.suspects: dict[Pid, bool] = {}
        self.direct_dispatch: bool = environ.get("BEAMISH_DIRECT", "1") != "0"
        # The task that was cancelled while it ran and has not suspended since; see `end_slice`.
        self.interrupted: asyncio.Task[Any] | None = None
        self.eager_depth: int = 0  # of coroutines that take their first step inside one another
        self.budget: int = 0  # messages until the clock is read
        self._slice_end = 0.0
        self._run_queue: deque[Runnable] = deque()
        self._drain_scheduled = False
        self._exit_signals: deque[tuple[Pid, Pid, Any, bool, bool]] = deque()
        self._delivering = False
        self._clock = 0.0

    def clock(self) -> float:
        """Return the time in Unix seconds, exact to a millisecond.

        All processes that start in the same millisecond share this number: each of their own would
        take 32 bytes.
        """
        now = time.time()
        if not 0.0 <= now - self._clock < CLOCK_SECONDS:
            self._clock = now
        return self._clock

    # -- Time slices

    def spend_budget(self) -> bool:
        """Count one message; return whether the time slice continues.

        For coroutines that can run without suspending. On False, they await `yield_to_loop`.
        """
        self.budget -= 1
        return self.budget > 0 or self.refill_budget()

    async def yield_to_loop(self) -> None:
        """Suspend, so that the event loop runs its other callbacks; then start a new time slice."""
        await asyncio.sleep(0)
        self._begin_slice()

    async def notice_interruption(self) -> None:
        """Suspend if the running task was cancelled by its last step, so that it stops here."""
        if self.interrupted is not None and asyncio.current_task() is self.interrupted:
            await self.yield_to_loop()

    def end_slice(self, interrupted: asyncio.Task[Any]) -> None:
        """End the slice now, because the running task was cancelled.

        A process can kill its own caller, for example by a link. Python raises `CancelledError`
        only where a task suspends, and a task that makes only direct calls never does: it would
        go on although its process is dead. With no budget and no slice, its next direct call,
        receive or `notice_interruption` suspends, and the cancellation takes effect.
        """
        self.interrupted = interrupted
        self.budget, self._slice_end = 0, 0.0

    def _begin_slice(self) -> None:
        self.interrupted = None
        self._slice_end = self.loop.time() + SLICE_SECONDS
        self.budget = CLOCK_INTERVAL

    def refill_budget(self) -> bool:
        """Return whether the time slice has time left, and if so refill the budget.

        Called when the budget is used up; reads the clock.
        """
        if self.loop.time() < self._slice_end:
            self.budget = CLOCK_INTERVAL
            return True
        return False

    def allows_direct_call(
        self, process: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> bool:
        """Return whether a call can run on its caller's stack although the budget is used up.

        Called with the server and the request. `beamish.testing` overrides it: a simulation, whose
        budget is always used up, decides and records here which calls are direct.
        """
        return self.refill_budget()

    # -- Exceptions that end the program

    def exit_program(self, error: BaseException) -> None:
        """Raise ``error`` out of the event loop if it is a `SystemExit` or `KeyboardInterrupt`.

        The rule for every callback, sync and async: any exception ends its process, and only
        these two reach the program as well. asyncio does that for its tasks; this does it for
        code that runs outside a task of its own. The loop raises the error, not this method: it
        would end the processes whose code is on the stack, which did not raise it.
        """
        if isinstance(error, SystemExit | KeyboardInterrupt):
            self.loop.call_soon(_raise, error, context=self.context)

    # -- The run queue

    def schedule(self, process: Runnable) -> None:
        """Append ``process`` to the run queue; no effect if the event loop is closed.

        Raises:
            BeamishError: Another event loop runs in this thread.
        """
        if not self._drain_scheduled:
            if not self.check_loop():
                return
            # The flag last: if the call raised with the flag set, no process would ever run again.
            self.loop.call_soon(self._drain, context=self.context)
            self._drain_scheduled = True
        self._run_queue.append(process)

    @property
    def has_runnable(self) -> bool:
        """Whether a process is in the run queue."""
        return self._drain_scheduled

    def _drain(self) -> None:
        self._begin_slice()
        run_queue = self._run_queue
        try:
            while run_queue and (self.budget > 0 or self.refill_budget()):
                run_queue.popleft().turn()
        finally:
            # Also when a turn raises: if the flag stayed set with no callback scheduled, no
            # process would ever run again.
            self._drain_scheduled = bool(run_queue)
            if run_queue:
                self.loop.call_soon(self._drain, context=self.context)

    # -- The event loop

    def check_loop(self) -> bool:
        """Return whether the runtime's event loop runs here; False if it is closed.

        A closed loop can run no process, so `close` makes all of them dead.

        Raises:
            BeamishError: The loop is open, but another one, or none, runs in this thread.
        """
        if asyncio._get_running_loop() is self.loop:
            return True
        if not self.loop.is_closed():
            raise BeamishError(
                "this process lives in another event loop than the one that runs here; "
                "use beamish.from_thread.call, cast or send"
            )
        self.close()
        return False

    def close(self) -> None:
        """Make every process dead after the loop was closed, and drop all references to them."""
        for pid in self.processes:
            pid._process = None
        self.timers = Timers(self.loop, self.context)
        for kept in (
            self.processes,
            self.names,
            self.restarting,
            self._run_queue,
            self._exit_signals,
        ):
            kept.clear()

    # -- Exit signals along links

    def queue_exit_signal(
        self, receiver: Pid, sender: Pid, reason: Any, reported: bool, *, linked: bool = True
    ) -> None:
        """Queue the exit signal of ``sender``, which is dead, for ``receiver``.

        Args:
            receiver: The process that gets the signal.
            sender: The dead process.
            reason: Its exit reason.
            reported: Whether its crash is logged already.
            linked: Whether to drop the signal if the two are not linked at its delivery.
        """
        self._exit_signals.append((receiver, sender, reason, reported, linked))

    def kill_together(self, pids: Iterable[Pid]) -> None:
        """Kill processes before any exit signal of one of them arrives at another.

        A supervisor that still ran would log the exit of each child and restart it: with 100,000
        children, 100,000 lines and children.
        """
        self._delivering = True
        try:
            for pid in pids:
                if pid._process is not None:
                    pid._process.kill("killed")
        finally:
            self._delivering = False
        self.deliver_exit_signals()

    def deliver_exit_signals(self) -> None:
        """Deliver the queued exit signals, and those that they cause.

        A loop instead of recursion: a chain of linked processes can have any length, and one
        stack frame for each would exceed Python's recursion limit.
        """
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._exit_signals:
                receiver, sender, reason, reported, linked = self._exit_signals.popleft()
                process = receiver._process
                if process is None:
                    continue
                if linked:
                    process.linked_exit(sender, reason, reported)
                else:
                    process.exit_from_link(sender, reason, reported)
        finally:
            self._delivering = False


def _raise(error: BaseException) -> None:
    raise error


_runtimes: dict[asyncio.AbstractEventLoop, Runtime] = {}
_latest: Runtime | None = None


def running() -> Runtime:
    """Return the runtime of the running event loop.

    Raises:
        NoProcessError: No event loop runs in this thread.
    """
    loop = asyncio._get_running_loop()
    latest = _latest
    if latest is not None and latest.loop is loop:
        return latest
    return _find(loop)


def _find(loop: asyncio.AbstractEventLoop | None) -> Runtime:
    global _latest
    if loop is None:
        raise NoProcessError(
            advice="no event loop runs in this thread: beamish works inside asyncio; "
            "from other threads use beamish.from_thread"
        )
    runtime = _runtimes.get(loop)
    if runtime is None:
        for closed in [known for known in _runtimes if known.is_closed()]:
            _runtimes.pop(closed).close()
        # A simulated loop (`beamish.testing`) defines its own runtime.
        runtime = _runtimes[loop] = getattr(loop, "beamish_runtime", _observed)(loop)
    _latest = runtime
    return runtime


def adopt(runtime: Runtime) -> None:
    """Use ``runtime``, of a subclass, for its event loop.

    Raises:
        BeamishError: The loop has a runtime already, because a process was started in it.
    """
    if runtime.loop in _runtimes:
        raise BeamishError("this event loop has a runtime already; adopt one before the first use")
    _runtimes[runtime.loop] = runtime
    for created in hooks.runtime_created:
        created(runtime)


def _observed(loop: asyncio.AbstractEventLoop) -> Runtime:
    runtime = Runtime(loop)
    for created in hooks.runtime_created:
        created(runtime)
    return runtime
