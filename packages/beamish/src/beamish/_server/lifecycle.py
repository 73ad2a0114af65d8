"""`Lifecycle`: the start and the exit of a server, and its exit signals.

A server exits for one of three causes, which all end in `complete_exit`:

1. Its start fails: `start_failed`. The starter gets the error, its parent no exit signal.
2. It terminates: `terminate` runs the callback of that name, then `complete_terminate`. Causes: a
   `Stop`, ``stop()``, the exception of a callback, the exit signal of the parent.
3. It is killed by an exit signal that it does not trap: no callback runs.

An exit signal that arrives while a callback runs is kept in ``exit_pending``: a plain function
cannot be interrupted, and an async callback is cancelled and can still clean up. A killed server is
removed from all look-ups at once, its links and watchers are notified when the callback has ended.
"""

import asyncio
import sys
from collections import deque
from contextvars import Context, copy_context
from typing import Any

from beamish import telemetry
from beamish._runtime import one_or_many, unwinding
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.process import Process
from beamish._runtime.runtime import Runtime
from beamish._runtime.timers import Timer
from beamish._server import reports
from beamish._server.items import INIT, SYSTEM, ChildExit, Item, ParentExit, Start
from beamish._server.observed import enter_observed
from beamish._server.requests import From, enter
from beamish._server.table import CallbackTable
from beamish.errors import IgnoredError, StartError
from beamish.pid import Name, Pid
from beamish.results import (
    IGNORE,
    NO_REPLY,
    Continue,
    Hibernate,
    Stop,
    Timeout,
    is_clean,
)


class Lifecycle(Process):
    """A server's process from its start to its exit; `ServerProcess` adds its messages.

    ``phase`` is "starting", "running", "terminating" or "dead". ``continued`` is the number of
    `Continue` results; the attribute exists from the first one on.
    """

    continued: int

    __slots__ = (
        "callback",
        "callers",
        "continued",
        "debugging",
        "direct",
        "ending",
        "exit_pending",
        "idle_timer",
        "mailbox",
        "name",
        "parent",
        "phase",
        "server",
        "start",
        "suspended",
        "table",
        "task",
    )

    def __init__(
        self, runtime: Runtime, table: CallbackTable, name: Name | None, starter: Pid | None
    ) -> None:
        super().__init__(runtime, starter)
        self.table = table
        self.name = name
        self.parent: Pid | None = None
        self.server: Any = None
        self.phase = "starting"
        self.callback: str | None = None  # the name of the running callback
        self.task: asyncio.Task[Any] | None = None  # the task of a suspended async callback
        self.direct = False
        self.mailbox: deque[Item] | None = None  # None while the server is idle
        self.callers: OneOrMany[From] = None
        self.trap_exit = table.options.trap_exit
        self.exit_pending: tuple[Any, bool] | None = None  # reason; whether terminate must run
        self.idle_timer: Timer | None = None
        self.suspended = False
        self.debugging: Any = None
        self.start: Start | None = None
        # While it terminates: the item that it handled, the exit reason, the reply to send.
        self.ending: tuple[Item | None, Any, Any] | None = None

    # -- What ServerProcess defines

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        raise NotImplementedError

    def run_callback(self, item: Item) -> None:
        """Run one callback, and apply its result."""
        raise NotImplementedError

    def become_idle(self) -> None:
        """Become idle, unless messages are queued."""
        raise NotImplementedError

    def apply_then(self, item: Item, then: Any) -> None:
        """Apply a `Continue`, `Timeout`, `Hibernate` or `Stop` that a callback returned."""
        raise NotImplementedError

    def context_of(self, item: Item | None) -> Context:
        """Return the context of ``item``, or an empty one."""
        context = None if item is None else item[4]
        return self.runtime.context.copy() if context is None else context

    # -- Start

    def initialise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Start | None:
        """Create the server and run its ``init``.

        Returns:
            ``None`` if the server has started; otherwise its `Start`, which holds the error or
            gets the result.
        """
        context = copy_context()
        self.callback = "init"
        try:
            run = enter_observed if telemetry.observes else enter
            result = context.run(run, self, INIT.function, (self, args, kwargs), None)
        except BaseException as error:
            start = self.start = Start()
            self.failed((INIT, (), None, None, context), error)
            return start
        if result is None and self.exit_pending is None:
            self.callback = None
            self._started()
            self.become_idle()
            return None
        start = self.start = Start()
        self.finish((INIT, (), None, None, context), result)
        self.after_callback()
        return start

    def init_returned(self, item: Item, result: Any) -> None:
        """Apply the result of ``init``."""
        match result:
            case Stop(reason):
                self.start_failed(reason)
            case _ if result is IGNORE:
                self.start_failed("normal", IgnoredError(self.class_name()))
            case None | Continue() | Timeout() | Hibernate():
                self._started()
                self.apply_then(item, result)
            case _:
                expected = "None, Continue, Timeout, Hibernate, IGNORE or Stop"
                self.start_failed(
                    TypeError(f"{self.class_name()}.init returned {result!r}; expected {expected}")
                )

    def _started(self) -> None:
        self.phase = "running"
        if telemetry.enabled:
            telemetry.process_start(self.pid, self.kind())
        if self.start is not None:
            start, self.start = self.start, None
            start.done()

    def start_failed(self, reason: Any, error: StartError | None = None) -> None:
        """Exit before the start is complete; the starter gets the error.

        The link to the parent is removed first: it must not get an exit signal as well.
        """
        start, self.start = self.start, None
        if self.parent is not None:
            self.unlink(self.parent)
        self.complete_exit(reason)
        if start is not None:
            start.done(error or StartError(reason, self.class_name()))

    def abort_start(self, reason: Any) -> None:
        """Kill a server whose ``init`` is suspended."""
        if self.phase == "starting":
            self._exit(reason, terminate=False)

    def discard(self) -> None:
        """Remove a process that was not started, because its name is taken."""
        self.phase = "dead"
        self.unregister()

    # -- Exit signals

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Handle an exit signal; one from the parent makes the server terminate."""
        if sender is None or sender is not self.parent:
            super().signal(sender, reason)
        elif self.trap_exit:
            self.system(ParentExit(reason))
        elif not (isinstance(reason, str) and reason == "normal"):
            self._exit(reason, terminate=True)

    def exit_from_link(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Handle the exit signal of a linked process; in a supervisor, of a child."""
        if self.table.eager and sender is not self.parent:
            if self.phase != "terminating":  # otherwise it is stopping all its children
                self.system(ChildExit(sender, reason, reported))
        else:
            self.signal(sender, reason)

    def kill(self, reason: Any) -> None:
        """Exit for ``reason`` without running ``terminate``."""
        self._exit(reason, terminate=False)

    def _exit(self, reason: Any, *, terminate: bool) -> None:
        dying = self.exit_pending is not None and not self.exit_pending[1]
        if dying and self.task is not None:
            self.task.cancel()  # again: a second kill also interrupts the clean-up
        if self.phase == "dead" or dying:
            return
        if terminate and self.phase == "terminating":
            return  # it is already doing that
        if self.exit_pending is not None and not _is_kill(reason):
            return  # it is going to terminate for its parent, which only a kill overrides
        self.exit_pending = (reason, terminate and self.phase == "running")
        if not self.exit_pending[1]:
            self.unregister()  # no look-up finds it, even while its callback unwinds
        self.drop_messages(reason)
        if self.callback is None:
            self.apply_pending_exit(None)
        elif self.task is not None:
            self.cancel_callback()
        # Otherwise a plain callback runs, below on the stack: `finish` or `failed` applies the
        # exit when it returns.

    def cancel_callback(self) -> None:
        """Cancel the async callback; the pending exit is applied when it has ended."""
        assert self.task is not None  # noqa: S101 - an async callback runs
        assert self.exit_pending is not None  # noqa: S101 - the caller has set it
        self.interrupt(self.task)
        # No limit if the parent asked for the exit: a supervisor kills a child that takes too
        # long. No limit for a supervisor either: its clean-up waits for its children.
        if not self.exit_pending[1] and not self.table.eager:
            unwinding.limit(self, self.task, self.abandon)

    def abandon(self) -> None:
        """Complete the exit although the cancelled callback still runs."""
        self.task = None
        if self.exit_pending is not None:
            self.apply_pending_exit(None)

    def apply_pending_exit(self, item: Item | None) -> None:
        """Apply the pending exit signal."""
        assert self.exit_pending is not None  # noqa: S101 - the caller has checked it
        (reason, terminate), self.exit_pending = self.exit_pending, None
        if item is not None and item[3] is not None:
            item[3].fail(reason)
        if self.phase == "starting":
            self.start_failed(reason)
        elif terminate:
            self.reported = True  # the parent stops its child: not a crash to log
            self.terminate(reason, item)
        else:
            self.complete_exit(reason)

    # -- Exit

    def terminate(self, reason: Any, item: Item | None, reply: Any = NO_REPLY) -> None:
        """Run the server's ``terminate``, then exit."""
        self.phase = "terminating"
        self.ending = (item, reason, reply)
        self.cancel_idle_timer()
        callback = self.table.terminate
        if callback is None:
            self.complete_terminate()
        else:
            self.run_callback((callback, (reason,), None, None, self.context_of(item)))

    def complete_terminate(self, error: BaseException | None = None) -> None:
        """Exit after ``terminate`` has returned, or has raised ``error``, which is the reason."""
        assert self.ending is not None  # noqa: S101 - the phase is "terminating"
        (item, reason, reply), self.ending = self.ending, None
        reason = reason if error is None else error
        if not is_clean(reason) and (error is not None or not self.reported):
            reports.crash(self, reason, None if item is None or item[0] is SYSTEM else item)
        if item is not None and item[3] is not None:
            if reply is NO_REPLY:
                item[3].fail(reason)
            else:
                item[3].answer(reply)
        self.complete_exit(reason)

    def complete_exit(self, reason: Any) -> None:
        """Exit: drop the mailbox, then notify callers, links and watchers."""
        if self.ending is not None:  # killed while it terminated
            item, self.ending = self.ending[0], None
            if item is not None and item[3] is not None:
                item[3].fail(reason)
        self.phase = "dead"
        self.callback = None
        self.unregister()
        self.drop_messages(reason)
        self.die(reason)

    def unregister(self) -> None:
        """Remove the server from all look-ups; stop direct calls and the idle timer."""
        super().unregister()
        self.direct = False
        self.cancel_idle_timer()

    def exit_dependents(self, reason: Any) -> None:
        """Send exit signals to dependent processes, such as the holders of a registry's keys."""
        if self.table.dependents is not None and self.server is not None:
            passed_on = "shutdown" if isinstance(reason, str) and reason == "normal" else reason
            for pid in self.table.dependents(self.server):
                self.runtime.queue_exit_signal(
                    pid, self.pid, passed_on, self.reported, linked=False
                )

    def drop_messages(self, reason: Any) -> None:
        """Drop the mailbox and raise `ExitError` in the callers that wait."""
        self.mailbox = None
        if self.callers is not None:
            for from_ in one_or_many.items(self.callers):
                from_.fail(reason)
            self.callers = None

    def count_continue(self) -> None:
        """Count a `Continue` for the watchdog; see `continuing`."""
        try:
            self.continued += 1
        except AttributeError:  # the first one; most servers return none
            self.continued = 1
        self.runtime.suspects.setdefault(self.pid, False)

    def cancel_idle_timer(self) -> None:
        """Cancel the idle timer."""
        if self.idle_timer is not None:
            self.runtime.timers.cancel(self.idle_timer)
            self.idle_timer = None

    # -- Facts for `process.info` and diagnostics

    def status(self) -> str:
        """Return what the server is doing."""
        if self.phase == "starting":
            return "starting"
        if self.phase != "running":
            return "exiting"
        if self.suspended:
            return "suspended"
        return "waiting" if self.callback is None and not self.mailbox else "running"

    def class_name(self) -> str:
        """Return the name of the server's class."""
        return self.table.qualname

    def parent_pid(self) -> Pid | None:
        """Return the process that started the server with a link, or ``None``."""
        return self.parent

    def current_callback(self) -> str | None:
        """Return the name of the running callback, or ``None``."""
        return self.callback

    def queue_length(self) -> int:
        """Return the number of queued messages."""
        mailbox = self.mailbox  # read once: the watchdog's thread calls this too
        return len(mailbox) if mailbox else 0

    def size_bytes(self) -> int:
        """Return an estimate of the memory of the process and its server's attributes, in bytes."""
        server = self.server
        attributes = getattr(server, "__dict__", None)
        size = super().size_bytes() + sys.getsizeof(server) + sys.getsizeof(self.pid)
        size += sys.getsizeof(attributes) if attributes is not None else 0
        return size + (sys.getsizeof(self.mailbox) if self.mailbox else 0)

    # -- The rest of what ServerProcess defines

    def finish(self, item: Item, result: Any) -> None:
        """Apply the result of a callback."""
        raise NotImplementedError

    def failed(self, item: Item, error: BaseException, *, in_task: bool = False) -> None:
        """Terminate the server because a callback raised."""
        raise NotImplementedError

    def after_callback(self) -> None:
        """Schedule a turn if messages are queued, otherwise become idle."""
        raise NotImplementedError


def _is_kill(reason: Any) -> bool:
    return isinstance(reason, str) and reason == "killed"
