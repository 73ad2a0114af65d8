"""The beginning and the end of a server's process, and the exit signals in between."""

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
from beamish._server.table import Table
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
    """A server's process from its start to its death; `ServerProcess` adds its messages.

    ``phase`` is "starting", "running", "terminating" or "dead". ``continued`` counts the `Continue`
    that it has returned, once there was one.
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
        self, runtime: Runtime, table: Table, name: Name | None, starter: Pid | None
    ) -> None:
        super().__init__(runtime, starter)
        self.table = table
        self.name = name
        self.parent: Pid | None = None
        self.server: Any = None
        self.phase = "starting"
        self.callback: str | None = None  # the name of the one that runs
        self.task: asyncio.Task[Any] | None = None  # that runs it, if it is async
        self.direct = False
        self.mailbox: deque[Item] | None = None  # exists while it holds something
        self.callers: OneOrMany[From] = None
        self.trap_exit = table.options.trap_exit
        self.exit_pending: tuple[Any, bool] | None = None  # reason; whether terminate is to run
        self.idle_timer: Timer | None = None
        self.suspended = False
        self.debugging: Any = None
        self.start: Start | None = None
        # While it terminates: what it handled, the exit reason, the reply to give.
        self.ending: tuple[Item | None, Any, Any] | None = None

    # -- What ServerProcess defines

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        raise NotImplementedError

    def run_callback(self, item: Item) -> None:
        """Run one callback, and act on its result."""
        raise NotImplementedError

    def rest(self) -> None:
        """Be idle from now on, if nothing waits."""
        raise NotImplementedError

    def do_then(self, item: Item, then: Any) -> None:
        """Do what a callback asked for beside its result."""
        raise NotImplementedError

    def context_of(self, item: Item | None) -> Context:
        """Return the context in which to go on with ``item``."""
        context = None if item is None else item[4]
        return self.runtime.context.copy() if context is None else context

    # -- The beginning

    def initialise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Start | None:
        """Make the server and run its ``init``.

        Returns:
            ``None`` when it has started; else how that ended, or who is told when it does.
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
            self.rest()
            return None
        start = self.start = Start()
        self.finish((INIT, (), None, None, context), result)
        self.go_on()
        return start

    def init_returned(self, item: Item, result: Any) -> None:
        """Act on the result of ``init``."""
        match result:
            case Stop(reason):
                self.start_failed(reason)
            case _ if result is IGNORE:
                self.start_failed("normal", IgnoredError(self.class_name()))
            case None | Continue() | Timeout() | Hibernate():
                self._started()
                self.do_then(item, result)
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
        """Be dead without having started; the starter gets the error, and no signal follows."""
        start, self.start = self.start, None
        if self.parent is not None:
            self.unlink(self.parent)
        self.dead(reason)
        if start is not None:
            start.done(error or StartError(reason, self.class_name()))

    def give_up_start(self, reason: Any) -> None:
        """End a start whose ``init`` still waits."""
        if self.phase == "starting":
            self._exit(reason, terminate=False)

    def discard(self) -> None:
        """Be as if it had never been made: its name was taken."""
        self.phase = "dead"
        self.unregister()

    # -- Exit signals

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Take an exit signal; that of the parent is an order to terminate."""
        if sender is None or sender is not self.parent:
            super().signal(sender, reason)
        elif self.trap_exit:
            self.system(ParentExit(reason))
        elif not (isinstance(reason, str) and reason == "normal"):
            self._exit(reason, terminate=True)

    def exit_from_link(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Take the exit signal of a linked process; a supervisor's is that of a child."""
        if self.table.eager and sender is not self.parent:
            if self.phase != "terminating":  # then all of them are ending
                self.system(ChildExit(sender, reason, reported))
        else:
            self.signal(sender, reason)

    def kill(self, reason: Any) -> None:
        """Die for an exit signal, without ``terminate``."""
        self._exit(reason, terminate=False)

    def _exit(self, reason: Any, *, terminate: bool) -> None:
        dying = self.exit_pending is not None and not self.exit_pending[1]
        if dying and self.task is not None:
            self.task.cancel()  # once more: it takes too long over its clean-up
        if self.phase == "dead" or dying:
            return
        if terminate and self.phase == "terminating":
            return  # it does what its parent asks for already
        if self.exit_pending is not None and not _is_kill(reason):
            return  # its parent has told it to terminate, which only a kill takes away
        self.exit_pending = (reason, terminate and self.phase == "running")
        if not self.exit_pending[1]:
            self.unregister()  # dead for all who look, even while its callback unwinds
        self.drop_messages(reason)
        if self.callback is None:
            self.exit_now(None)
        elif self.task is not None:
            self.cancel_callback()
        # Else a plain callback runs, below us on the stack: the process dies when it returns.

    def cancel_callback(self) -> None:
        """Stop the async callback where it waits; the process goes on dying when it has ended."""
        assert self.task is not None  # noqa: S101 - an async callback runs
        assert self.exit_pending is not None  # noqa: S101 - that is why
        self.interrupt(self.task)
        if not self.exit_pending[1] and not self.table.eager:
            # Else the parent, such as a supervisor, sets a limit; or it waits for its children.
            unwinding.limit(self, self.task, self.abandon)

    def abandon(self) -> None:
        """Be dead, whatever the cancelled callback still does."""
        self.task = None
        if self.exit_pending is not None:
            self.exit_now(None)

    def exit_now(self, item: Item | None) -> None:
        """Obey the exit signal that came while a callback ran."""
        assert self.exit_pending is not None  # noqa: S101 - that is why
        (reason, terminate), self.exit_pending = self.exit_pending, None
        if item is not None and item[3] is not None:
            item[3].fail(reason)
        if self.phase == "starting":
            self.start_failed(reason)
        elif terminate:
            self.reported = True  # the parent knows why it ends its children
            self.terminate(reason, item)
        else:
            self.dead(reason)

    # -- The end

    def terminate(self, reason: Any, item: Item | None, reply: Any = NO_REPLY) -> None:
        """Run the server's ``terminate``, then die."""
        self.phase = "terminating"
        self.ending = (item, reason, reply)
        self.disarm()
        callback = self.table.terminate
        if callback is None:
            self.terminated()
        else:
            self.run_callback((callback, (reason,), None, None, self.context_of(item)))

    def terminated(self, error: BaseException | None = None) -> None:
        """Die, now that ``terminate`` has returned or raised ``error``."""
        assert self.ending is not None  # noqa: S101 - it is in the phase "terminating"
        (item, reason, reply), self.ending = self.ending, None
        reason = reason if error is None else error
        if not is_clean(reason) and (error is not None or not self.reported):
            reports.crash(self, reason, None if item is None or item[0] is SYSTEM else item)
        if item is not None and item[3] is not None:
            if reply is NO_REPLY:
                item[3].fail(reason)
            else:
                item[3].answer(reply)
        self.dead(reason)

    def dead(self, reason: Any) -> None:
        """Die: drop what waits, and tell those who care."""
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
        """Be dead for everyone who looks."""
        super().unregister()
        self.direct = False
        self.disarm()

    def exit_dependents(self, reason: Any) -> None:
        """Send exit signals to those who depend on the server, such as a registry's entries."""
        if self.table.dependents is not None and self.server is not None:
            passed_on = "shutdown" if isinstance(reason, str) and reason == "normal" else reason
            for pid in self.table.dependents(self.server):
                self.runtime.queue_exit_signal(
                    pid, self.pid, passed_on, self.reported, linked=False
                )

    def drop_messages(self, reason: Any) -> None:
        """Drop what waits in the mailbox; callers hear at once that no reply will come."""
        self.mailbox = None
        if self.callers is not None:
            for from_ in one_or_many.items(self.callers):
                from_.fail(reason)
            self.callers = None

    def count_continue(self) -> None:
        """Let the watchdog see how often the server has returned `Continue`."""
        try:
            self.continued += 1
        except AttributeError:  # the first time; most servers never do
            self.continued = 1
        self.runtime.suspects.setdefault(self.pid, False)

    def disarm(self) -> None:
        """Cancel the idle timer."""
        if self.idle_timer is not None:
            self.runtime.timers.cancel(self.idle_timer)
            self.idle_timer = None

    # -- What others may know

    def status(self) -> str:
        """Say what the server is doing."""
        if self.phase == "starting":
            return "starting"
        if self.phase != "running":
            return "exiting"
        if self.suspended:
            return "suspended"
        return "waiting" if self.callback is None and not self.mailbox else "running"

    def class_name(self) -> str:
        """Name the server's class."""
        return self.table.qualname

    def parent_pid(self) -> Pid | None:
        """Name the process that started it, linked."""
        return self.parent

    def current_callback(self) -> str | None:
        """Name the callback that runs now."""
        return self.callback

    def queue_length(self) -> int:
        """Count the messages that wait."""
        mailbox = self.mailbox  # read once: other threads ask, too
        return len(mailbox) if mailbox else 0

    def size_bytes(self) -> int:
        """Estimate the memory that the process and its server's attributes take."""
        server = self.server
        attributes = getattr(server, "__dict__", None)
        size = super().size_bytes() + sys.getsizeof(server) + sys.getsizeof(self.pid)
        size += sys.getsizeof(attributes) if attributes is not None else 0
        return size + (sys.getsizeof(self.mailbox) if self.mailbox else 0)

    # -- The rest of what ServerProcess defines

    def finish(self, item: Item, result: Any) -> None:
        """Act on the result of a callback."""
        raise NotImplementedError

    def failed(self, item: Item, error: BaseException, *, in_task: bool = False) -> None:
        """Act on the exception of a callback."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Go on after a callback: with what waits, or to rest."""
        raise NotImplementedError


def _is_kill(reason: Any) -> bool:
    return isinstance(reason, str) and reason == "killed"
