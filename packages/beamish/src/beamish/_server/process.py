"""`ServerProcess`: the process behind a GenServer. It has no task; callbacks run it."""

import asyncio
import sys
from collections import deque
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any, TypeAlias

from beamish import telemetry
from beamish._runtime import eager, few, unwinding
from beamish._runtime.few import Few
from beamish._runtime.process import Process, SystemRequest
from beamish._runtime.runtime import Runtime
from beamish._runtime.tasks import CANCELLED, failure
from beamish._runtime.timers import Timer
from beamish._server import reports
from beamish._server.requests import SPECIAL, From, Waiting, describe, enter
from beamish._server.table import Callback, Table
from beamish.errors import CallingSelfError, IgnoredError, StartError
from beamish.messages import Down
from beamish.pid import Dest, Name, Pid, Ref
from beamish.results import (
    IGNORE,
    NO_REPLY,
    Continue,
    Hibernate,
    NoReply,
    Reply,
    Stop,
    Timeout,
    is_clean,
)

# What waits in a mailbox: the callback, its arguments, who waits for its reply, and the context
# of whoever sent it.
Item: TypeAlias = tuple[Callback, tuple[Any, ...], dict[str, Any] | None, From | None, Context]

_EAGER_DEPTH = 16  # supervisors that start one another on one stack, before tasks take over
_TURN = 64  # messages that one process handles before the next has its turn


def _run_system(_: object, process: "ServerProcess", request: SystemRequest) -> Any:
    return request.run(process)


def _initialise(
    _: object, process: "ServerProcess", args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    cls = process.table.cls
    server = process.server = cls.__new__(cls)
    server.pid = process.pid
    server.__init__(*args, **kwargs)
    init = process.table.init
    return None if init is None else init(server)


_SYSTEM = Callback("system", _run_system)
_INIT = Callback("init", _initialise)


class ParentExit:
    """The exit signal of the parent of a server that traps exits: an order to terminate."""

    def __init__(self, reason: Any) -> None:
        self._reason = reason

    def run(self, process: Any) -> Stop:
        """Stop the server."""
        process.reported = True  # the parent knows why it ends its children
        return Stop(self._reason)


class ChildExit:
    """The exit of a child of a supervisor, which decides at once what to do about it."""

    def __init__(self, pid: Pid, reason: Any, reported: bool) -> None:
        self._facts = (pid, reason, reported)

    def run(self, process: Any) -> Any:
        """Tell the supervisor."""
        return process.server.child_exited(*self._facts)


class Start:
    """How the start of a server ended; or, while its ``init`` waits, who waits for it."""

    __slots__ = ("error", "future")

    def __init__(self) -> None:
        self.error: StartError | None = None
        self.future: asyncio.Future[None] | None = None

    def done(self, error: StartError | None = None) -> None:
        """Tell the starter."""
        self.error = error
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class ServerProcess(Process):
    """The process of one server.

    It is idle, or has messages in its mailbox and stands in the run queue, or runs one callback:
    ``callback`` names it, and ``task`` runs it if it is async and waits. ``direct`` says that it
    is idle with nothing in the way, so that a call may run on the caller's stack.
    """

    __slots__ = (
        "callback",
        "callers",
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
        self.phase = "starting"  # then "running", "terminating", "dead"
        self.callback: str | None = "init"
        self.task: asyncio.Task[Any] | None = None
        self.direct = False
        self.mailbox: deque[Item] | None = None  # exists while it holds something
        self.callers: Few[From] = None
        self.trap_exit = table.options.trap_exit
        self.exit_pending: tuple[Any, bool] | None = None  # reason; whether terminate is to run
        self.idle_timer: Timer | None = None
        self.suspended = False
        self.debugging: Any = None
        self.start: Start | None = None
        # While it terminates: what it handled, the exit reason, the reply to give.
        self.ending: tuple[Item | None, Any, Any] | None = None

    # -- Messages come in

    def deliver(self, message: Any) -> None:
        """Queue a message for ``handle_info``."""
        self.enqueue((self.table.info, (message,), None, None, copy_context()))

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Queue a cast."""
        callback = self.table.casts.get(name) or self.table.cast(name)
        mailbox = self.mailbox
        if mailbox is not None:
            mailbox.append((callback, args, kwargs, None, copy_context()))
        else:
            self.enqueue((callback, args, kwargs, None, copy_context()))

    def enqueue(self, item: Item) -> None:
        """Put ``item`` at the end of the mailbox, and ask for a turn if it is the first."""
        if self.mailbox is not None:
            self.mailbox.append(item)
            return
        self.mailbox = deque((item,))
        self.direct = False
        if self.idle_timer is not None and item[0] is not _SYSTEM:
            self._disarm()
        if self.callback is None and not self.suspended:
            self.runtime.ready(self)

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Any:
        """Begin a call: run it at once if nothing is in the way, else queue it."""
        callback = self.table.call(name)
        from_ = From(self, dest)
        if name == "handle_call":
            args = (*args, from_)
        elif callback.wants_from:
            kwargs = {**(kwargs or {}), "from_": from_}
        item: Item = (callback, args, kwargs, from_, copy_context())
        if self.direct and (self.runtime.credit > 0 or self.runtime.may_go_on()):
            self.runtime.credit -= 1
            self.handle(item)
            return self._answer(from_)
        self._refuse_self_call(dest)
        self.callers = few.add(self.callers, from_)
        self.enqueue(item)
        return Waiting(from_)

    def _answer(self, from_: From) -> Any:
        if not from_.is_open:
            interrupted = self.runtime.interrupted
            if interrupted is not None and asyncio.current_task() is interrupted:
                return Waiting(from_)  # the caller was killed meanwhile, and is to notice
            return from_.outcome()
        self.callers = few.add(self.callers, from_)
        return Waiting(from_)

    def _refuse_self_call(self, dest: Dest) -> None:
        # Only the task that runs the callback would wait for itself; its other tasks may call.
        if self.task is not None and asyncio.current_task() is self.task:
            raise CallingSelfError(dest)

    def call_is_over(self, from_: From) -> None:
        """Forget who waited: there is a reply, or the caller gave up."""
        self.callers = few.remove(self.callers, from_)

    def system(self, request: SystemRequest) -> None:
        """Answer ``request`` after the messages before it; at once when idle or suspended."""
        item: Item = (_SYSTEM, (self, request), None, None, copy_context())
        if self.callback is None and (self.suspended or self.mailbox is None):
            self.handle(item)
        else:
            self.enqueue(item)

    def later(self, request: SystemRequest) -> None:
        """Answer ``request`` in a later turn, never at once."""
        self.enqueue((_SYSTEM, (self, request), None, None, self.runtime.context.copy()))

    # -- Messages are handled, one at a time

    def turn(self) -> None:
        """Handle some of the messages that wait."""
        runtime = self.runtime
        for _ in range(_TURN):
            if not self.mailbox or self.callback is not None or self.suspended:
                break
            if runtime.credit <= 0 and not runtime.may_go_on():
                break
            runtime.credit -= 1
            self._handle(self.mailbox.popleft())
        self._next()

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        self._handle(item)
        self._next()

    def _handle(self, item: Item) -> None:
        callback, args, kwargs, _, context = item
        self.direct = False
        self.callback = callback.name
        if self.debugging is not None and callback is not _SYSTEM:
            self.debugging.received(self, callback, args)
        try:
            result = context.run(enter, self, callback.function, args, kwargs)
        except BaseException as error:
            self._failed(item, error)
        else:
            self._finish(item, result)

    def finish_direct(
        self, item: Item, result: Any = None, error: BaseException | None = None
    ) -> Any:
        """End a call that the fast path began, but that turned out not to be plain."""
        from_ = item[3]
        assert from_ is not None  # noqa: S101 - a call has one
        if error is not None:
            self._failed(item, error)
        else:
            self._finish(item, result)
        self._next()
        return self._answer(from_)

    def disturb(self) -> None:
        """Let the call on whose stack this process runs end the long way."""
        if self.mailbox is None:
            self.mailbox = deque()

    def _next(self) -> None:
        """Go on after a callback: with what waits, or to rest."""
        if self.callback is not None or self.phase == "dead":
            return
        if self.suspended:
            self._answer_system_requests()
        elif self.mailbox:
            self.runtime.ready(self)
        else:
            self.mailbox = None
            self.direct = (
                self.idle_timer is None and self.debugging is None and self.runtime.direct_dispatch
            )

    def _take_out(self, item: Item) -> None:
        # By identity: messages are any values, whose == may do anything.
        self.mailbox = deque(other for other in self.mailbox or () if other is not item)

    def _answer_system_requests(self) -> None:
        waiting = [item for item in self.mailbox or () if item[0] is _SYSTEM]
        for item in waiting:
            if self.mailbox is not None and self.callback is None:
                self._take_out(item)
                self.handle(item)

    # -- What callbacks return

    def _finish(self, item: Item, result: Any) -> None:
        """Act on the result of a callback."""
        if result.__class__ is CoroutineType:
            self._run(item, result)
            return
        self.callback = None
        if item[0] is not _SYSTEM:
            self.handled += 1
        if self.exit_pending is not None:
            self._exit_now(item)
        elif self.phase == "starting":
            self._init_returned(item, result)
        elif self.phase == "terminating":
            self._terminated()
        elif item[3] is not None:
            self._finish_call(item, item[3], result)
        elif result is not None:
            self._then(item, result)
        if self.debugging is not None and item[0] is not _SYSTEM:
            self.debugging.handled(self, item[0], result)

    def _finish_call(self, item: Item, from_: From, result: Any) -> None:
        match result:
            case _ if result.__class__ not in SPECIAL:
                from_.resolve(result)
            case Reply(value, then):
                from_.resolve(value)
                self._then(item, then)
            case NoReply(then):
                self._then(item, then)
            case Stop():
                self._then(item, result)
            case _:
                self._bad_result(item, result, "a reply, Reply, NoReply or Stop")

    def _then(self, item: Item, then: Any) -> None:
        match then:
            case None | Hibernate():
                pass
            case Continue(value):
                self._continue_with(value)
            case Timeout(seconds):
                self._arm(seconds)
            case Stop(reason, reply):
                if reply is not NO_REPLY and item[3] is None:
                    self._bad_result(item, then, "a Stop without a reply: nobody waits for one")
                else:
                    self._terminate(reason, item, reply)
            case _:
                self._bad_result(item, then, "None, Continue, Timeout, Hibernate or Stop")

    def _bad_result(self, item: Item, result: Any, expected: str) -> None:
        error = TypeError(
            f"{self.class_name()}.{item[0].name} returned {result!r}; expected {expected}"
        )
        self._failed(item, error)

    def _continue_with(self, value: Any) -> None:
        item: Item = (self.table.continued, (value,), None, None, copy_context())
        if self.mailbox:
            self.mailbox.appendleft(item)  # before any queued message
        else:
            self.mailbox = deque((item,))

    def _arm(self, seconds: float) -> None:
        if self.mailbox:
            return  # a message has come already
        if seconds == 0:
            self.deliver("timeout")
        else:
            self.idle_timer = self.runtime.timers.after(seconds, self._idle)

    def _disarm(self) -> None:
        if self.idle_timer is not None:
            self.runtime.timers.cancel(self.idle_timer)
            self.idle_timer = None

    def _idle(self) -> None:
        self.idle_timer = None
        self.deliver("timeout")

    def _failed(self, item: Item, error: BaseException) -> None:
        """End the server for an exception of a callback."""
        self.callback = None
        if self.exit_pending is not None:
            self._exit_now(item)
        elif self.phase == "starting":
            self._start_failed(error)
        elif self.phase == "terminating":
            self._terminated(error)
        else:
            self._terminate(error, item)
        if not isinstance(error, Exception | asyncio.CancelledError):
            raise error  # KeyboardInterrupt and SystemExit are for the program, too

    # -- Async callbacks

    def _run(self, item: Item, coroutine: Any) -> None:
        """Run an async callback; the server takes no other message until it has ended."""
        context, loop = item[4], self.runtime.loop
        if self.table.eager and self.runtime.eager_depth < _EAGER_DEPTH:
            outcome = self._step(coroutine, context)
            if isinstance(outcome, eager.Outcome):
                self._ran(item, outcome)
                return
            self.task = outcome
        else:
            self.task = asyncio.Task(coroutine, loop=loop, context=context)
        self.task.add_done_callback(partial(self._task_done, item), context=self.runtime.context)
        if self.exit_pending is not None:  # by the callback itself, in its first step
            self._interrupt()

    def _step(self, coroutine: Any, context: Context) -> eager.Outcome | asyncio.Task[Any]:
        runtime = self.runtime
        runtime.eager_depth += 1
        try:
            return eager.step(coroutine, context, runtime.loop)
        finally:
            runtime.eager_depth -= 1

    def _ran(self, item: Item, outcome: eager.Outcome) -> None:
        if outcome.error is not None:
            self._failed(item, outcome.error)
        else:
            self._finish(item, outcome.value)

    def _task_done(self, item: Item, task: asyncio.Task[Any]) -> None:
        if self.phase == "dead":
            return  # abandoned
        self.task = None
        if task.cancelled() and task.cancelling() and self.exit_pending is None:
            self.exit_pending = (CANCELLED, False)  # from outside: the event loop is ending
        error = failure(task)
        if error is not None:
            self._failed(item, error)
        else:
            self._finish(item, task.result())
        self._next()

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
            self.system(ChildExit(sender, reason, reported))
        else:
            self.signal(sender, reason)

    def doom(self, reason: Any) -> None:
        """Die for an exit signal, without ``terminate``."""
        self._exit(reason, terminate=False)

    def _exit(self, reason: Any, *, terminate: bool) -> None:
        dying = self.exit_pending is not None and not self.exit_pending[1]
        if self.phase == "dead" or dying:
            return
        if terminate and self.phase == "terminating":
            return  # it does what its parent asks for already
        self.exit_pending = (reason, terminate and self.phase == "running")
        if not self.exit_pending[1]:
            self.depart()  # dead for all who look, even while its callback unwinds
        self._drop_messages(reason)
        if self.callback is None:
            self._exit_now(None)
        elif self.task is not None:
            self._interrupt()
        # Else a plain callback runs, below us on the stack: the process dies when it returns.

    def _interrupt(self) -> None:
        task = self.task
        assert task is not None  # noqa: S101 - an async callback runs
        self.interrupt(task)
        unwinding.limit(self, task, self._abandoned)

    def _abandoned(self) -> None:
        self.task = None
        if self.exit_pending is not None:
            self._exit_now(None)

    def _exit_now(self, item: Item | None) -> None:
        assert self.exit_pending is not None  # noqa: S101 - that is why
        (reason, terminate), self.exit_pending = self.exit_pending, None
        if item is not None and item[3] is not None:
            item[3].fail(reason)
        if self.phase == "starting":
            self._start_failed(reason)
        elif terminate:
            self.reported = True  # the parent knows why it ends its children
            self._terminate(reason, item)
        else:
            self._dead(reason)

    # -- The beginning

    def initialise(self, start: Start, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Make the server and run its ``init``; ``start`` is told how that ends."""
        self.start = start
        self.callback = None
        self.handle((_INIT, (self, args, kwargs), None, None, copy_context()))

    def _init_returned(self, item: Item, result: Any) -> None:
        match result:
            case Stop(reason):
                self._start_failed(reason)
            case _ if result is IGNORE:
                self._start_failed("normal", IgnoredError(self.class_name()))
            case None | Continue() | Timeout() | Hibernate():
                self._started()
                self._then(item, result)
            case _:
                expected = "None, Continue, Timeout, Hibernate, IGNORE or Stop"
                self._start_failed(
                    TypeError(f"{self.class_name()}.init returned {result!r}; expected {expected}")
                )

    def start_failed(self, reason: Any) -> None:
        """Give up a start whose ``init`` still waits."""
        if self.phase == "starting":
            self._exit(reason, terminate=False)

    def discard(self) -> None:
        """Be as if it had never been made: its name was taken."""
        self.phase = "dead"
        self.depart()

    def _started(self) -> None:
        self.phase = "running"
        start, self.start = self.start, None
        if telemetry.enabled:
            telemetry.process_start(self.pid, self.class_name())
        assert start is not None  # noqa: S101 - whoever starts it waits
        start.done()

    def _start_failed(self, reason: Any, error: StartError | None = None) -> None:
        start, self.start = self.start, None
        if self.parent is not None:
            self.unlink(self.parent)  # the error is all: no exit signal follows
        self._dead(reason)
        assert start is not None  # noqa: S101 - whoever starts it waits
        start.done(error or StartError(reason, self.class_name()))

    # -- The end

    def _terminate(self, reason: Any, item: Item | None, reply: Any = NO_REPLY) -> None:
        """Run ``terminate``, then die."""
        self.phase = "terminating"
        self.ending = (item, reason, reply)
        self._disarm()
        if self.table.terminate is None:
            self._terminated()
        else:
            context = copy_context() if item is None else item[4]
            self._handle((self.table.terminate, (reason,), None, None, context))

    def _terminated(self, error: BaseException | None = None) -> None:
        """Die, now that ``terminate`` has returned or raised ``error``."""
        assert self.ending is not None  # noqa: S101 - it is in the phase "terminating"
        item, reason, reply = self.ending
        reason = reason if error is None else error
        if not is_clean(reason) and (error is not None or not self.reported):
            system = item is None or item[0] is _SYSTEM
            message = "[]" if system or item is None else describe(item[0].name, item[1])
            reports.crash(self, reason, message)
        if item is not None and item[3] is not None:
            if reply is NO_REPLY:
                item[3].fail(reason)
            else:
                item[3].resolve(reply)
        self._dead(reason)

    def _dead(self, reason: Any) -> None:
        self.phase = "dead"
        self.callback = None
        self.depart()
        self._drop_messages(reason)
        self.die(reason)

    def depart(self) -> None:
        """Be dead for everyone who looks."""
        super().depart()
        self.direct = False
        self._disarm()

    def take_along(self, reason: Any) -> None:
        """Send exit signals to those who depend on the server, such as a registry's entries."""
        if self.table.dependents is not None:
            passed_on = "shutdown" if isinstance(reason, str) and reason == "normal" else reason
            for pid in self.table.dependents(self.server):
                self.runtime.post(pid, self.pid, passed_on, self.reported, linked=False)

    def _drop_messages(self, reason: Any) -> None:
        """Drop what waits in the mailbox; callers hear at once that no reply will come."""
        self.mailbox = None
        for from_ in few.items(self.callers):
            from_.fail(reason)
        self.callers = None

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
        name: str = self.table.qualname
        return name

    def parent_pid(self) -> Pid | None:
        """Name the process that started it, linked."""
        return self.parent

    def current_callback(self) -> str | None:
        """Name the callback that runs now."""
        return self.callback

    def queue_length(self) -> int:
        """Count the messages that wait."""
        return len(self.mailbox) if self.mailbox else 0

    def flush(self, ref: Ref) -> None:
        """Remove the `Down` of ``ref`` from the mailbox."""
        for item in tuple(self.mailbox or ()):
            if item[1] and type(item[1][0]) is Down and item[1][0].ref is ref:
                self._take_out(item)

    def size_bytes(self) -> int:
        """Estimate the memory that the process and its server's attributes take."""
        server = self.server
        attributes = getattr(server, "__dict__", None)
        size = super().size_bytes() + sys.getsizeof(server) + sys.getsizeof(self.pid)
        size += sys.getsizeof(attributes) if attributes is not None else 0
        return size + (sys.getsizeof(self.mailbox) if self.mailbox else 0)
