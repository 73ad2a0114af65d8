"""The runtime of one event loop: who lives in it, who has something to do, and when."""

import asyncio
from _thread import get_ident
from collections import deque
from contextvars import Context
from os import environ
from typing import TYPE_CHECKING, Any

from beamish._runtime import watchdog
from beamish._runtime.timers import Timers
from beamish.errors import BeamishError, NoProcessError
from beamish.pid import Pid

if TYPE_CHECKING:
    from beamish._runtime.process import Process

# A slice is what processes may do in a row before the loop's other work has its turn. The clock
# is read once in so many messages.
SLICE_SECONDS = 0.005
MESSAGES_PER_CLOCK = 32


class Runtime:
    """Everything of one event loop; made on first use, by `Runtime.running`."""

    __slots__ = (
        "__weakref__",
        "_pumping",
        "_ready",
        "_scheduled",
        "_signals",
        "_slice_end",
        "context",
        "credit",
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
        self.throttle: Any = None  # of crash reports; made by whoever reports
        # Empty: what a request has in its context must not reach the casts of all the others.
        self.context: Context = Context()
        self.timers: Timers = Timers(loop, self.context)
        self.names: dict[str, Pid] = {}
        self.processes: dict[Pid, None] = {}
        # Children between two processes, by last pid and by name, for `NoProcessError`.
        self.restarting: dict[Any, Any] = {}
        # Whose mailboxes may grow, and whether each has been reported; see `mailboxes`.
        self.suspects: dict[Pid, bool] = {}
        self.direct_dispatch: bool = environ.get("BEAMISH_DIRECT", "1") != "0"
        # The task that was cancelled while it ran, to be stopped where it next may wait.
        self.interrupted: asyncio.Task[Any] | None = None
        self.eager_depth: int = 0  # of coroutines that take their first step inside one another
        self.credit: int = 0  # messages until the clock is read
        self._slice_end = 0.0
        self._ready: deque[Process] = deque()
        self._scheduled = False
        self._signals: deque[tuple[Pid, Pid, Any, bool, bool]] = deque()
        self._pumping = False

    # -- Fairness

    def spend(self) -> bool:
        """Use up some of the slice for what may never wait; false when it is time to `breathe`."""
        self.credit -= 1
        return self.credit > 0 or self.may_go_on()

    async def breathe(self) -> None:
        """Give the loop's other work its turn; a new slice begins."""
        await asyncio.sleep(0)
        self._begin_slice()

    async def notice_interruption(self) -> None:
        """Let the current task be cancelled here, if it was killed by what it has just done."""
        if self.interrupted is not None and asyncio.current_task() is self.interrupted:
            await self.breathe()

    def end_slice(self, interrupted: asyncio.Task[Any]) -> None:
        """See to it that the task that runs now, which is cancelled, waits where it next may."""
        self.interrupted = interrupted
        self.credit, self._slice_end = 0, 0.0

    def _begin_slice(self) -> None:
        self.interrupted = None
        self._slice_end = self.loop.time() + SLICE_SECONDS
        self.credit = MESSAGES_PER_CLOCK

    def may_go_on(self) -> bool:
        """Say, when the credit is used up, whether the slice goes on; renew the credit if so."""
        if self.loop.time() < self._slice_end:
            self.credit = MESSAGES_PER_CLOCK
            return True
        return False

    # -- Exceptions that end the program

    def exit_program(self, error: BaseException) -> None:
        """Raise ``error`` out of the event loop if it asks for the end of the program.

        The rule for every callback, sync and async: any exception ends its process, and only
        `SystemExit` and `KeyboardInterrupt` reach the program as well. asyncio does that for its
        tasks; this does it for code that runs outside of a task of its own. Raised from the loop
        and not here: the processes whose code is on the stack have done nothing wrong.
        """
        if isinstance(error, SystemExit | KeyboardInterrupt):
            self.loop.call_soon(_raise, error, context=self.context)

    # -- The run queue: processes with messages, in the order in which they got the first

    def ready(self, process: "Process") -> None:
        """Give ``process`` a turn soon."""
        if not self._scheduled:
            if not self.check_loop():
                return
            self._scheduled = True
            self.loop.call_soon(self._drain, context=self.context)
        self._ready.append(process)

    @property
    def has_ready(self) -> bool:
        """Whether a process waits for its turn."""
        return self._scheduled

    def _drain(self) -> None:
        self._begin_slice()
        ready = self._ready
        try:
            while ready and (self.credit > 0 or self.may_go_on()):
                ready.popleft().turn()
        finally:
            self._scheduled = bool(ready)
            if ready:
                self.loop.call_soon(self._drain, context=self.context)

    # -- The loop that all of this belongs to

    def check_loop(self) -> bool:
        """Refuse to be touched from elsewhere; false if the loop is over, and all here is dead."""
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
        """Let every process be dead, now that the loop is closed, and keep nothing of it alive."""
        for pid in self.processes:
            pid._process = None
        self.timers = Timers(self.loop, self.context)
        for kept in (self.processes, self.names, self.restarting, self._ready, self._signals):
            kept.clear()

    # -- Exit signals along links

    def post(
        self, receiver: Pid, sender: Pid, reason: Any, reported: bool, *, linked: bool = True
    ) -> None:
        """Queue the exit signal of ``sender``, which is dead, for ``receiver``.

        With ``linked``, it arrives only if the two are still linked then.
        """
        self._signals.append((receiver, sender, reason, reported, linked))

    def pump(self) -> None:
        """Deliver queued exit signals, and those that they cause in turn.

        One loop rather than recursion: a chain of linked processes may be of any length.
        """
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._signals:
                receiver, sender, reason, reported, linked = self._signals.popleft()
                process = receiver._process
                if process is None:
                    continue
                if linked:
                    process.linked_exit(sender, reason, reported)
                else:
                    process.exit_from_link(sender, reason, reported)
        finally:
            self._pumping = False


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
        # A simulated loop (`beamish.testing`) brings a runtime of its own.
        runtime = _runtimes[loop] = getattr(loop, "beamish_runtime", _watched)(loop)
    _latest = runtime
    return runtime


def _watched(loop: asyncio.AbstractEventLoop) -> Runtime:
    runtime = Runtime(loop)
    watchdog.watch(runtime)
    return runtime
