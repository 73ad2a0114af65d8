"""`ServerProcess`: the process of a server. It has no task of its own; callbacks run it.

The class reads in the order of a server's life: its start, queueing messages, handling them, the
results of callbacks, async callbacks, exit signals, and the exit.

How a message is handled: `ServerProcess.enqueue` puts an item into the mailbox and schedules a
turn. `ServerProcess.dispatch` handles an item: `turn` calls it with items of the mailbox, `handle`
with an item that skips the mailbox, such as a call to an idle server (see `request`). It enters the
item's context, where `run_one` or `run_many` runs the callback. `finish` applies what the callback
returns, `failed` what it raises. `after_callback` then schedules the next turn, or makes the server
idle.

A server exits for one of three causes, which all end in `complete_exit`:

- Its start fails: `start_failed`. The starter gets the error, its parent no exit signal.
- It terminates: `terminate` runs the callback of that name, then `complete_terminate`. Causes: a
  `Stop`, ``stop()``, the exception of a callback, the exit signal of the parent.
- It is killed by an exit signal that it does not trap: no callback runs.

`complete_exit` calls `Process.die`, which is the exit of every kind of process, step by step.

Invariants:

1. At most one callback runs. ``callback`` holds its name until it has ended, also while it is
   suspended in ``task``; `turn` returns at once meanwhile.
2. The mailbox of an idle server is ``None``. So the first message of an idle server is the one
   that schedules its turn, and a mailbox that exists after a direct call shows that something
   arrived meanwhile.
3. ``direct`` is true only for an idle server with no idle timer, no debug option and no suspension.
   Any of them must see each message, which the fast path would not show it.
4. An exit signal that arrives while a callback runs is kept in ``exit_pending`` and applied when
   the callback has ended: a plain function cannot be interrupted, and an async callback is
   cancelled and can still clean up. A killed server is removed from all look-ups at once; its
   links and watchers are notified when the callback has ended.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._runtime import eager, one_or_many, unwinding
from beamish._runtime.extras import Extra
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.process import Process, SystemRequest
from beamish._runtime.runtime import Runtime
from beamish._runtime.tasks import failure
from beamish._runtime.timers import Timer
from beamish._server import reports
from beamish._server.callbacks import USUAL, Ran, run_many, run_one
from beamish._server.items import (
    INIT,
    SYSTEM,
    ChildExit,
    Item,
    ParentExit,
    Queued,
    Start,
    callback_of,
    caller_of,
    context_of,
    is_system,
    shares_context,
)
from beamish._server.observed import Observed, run_observed
from beamish._server.requests import SPECIAL, From, FutureReply, PendingReply
from beamish._server.table import CallbackTable
from beamish.errors import CallingSelfError, IgnoredError, StartError
from beamish.pid import Dest, Name, Pid
from beamish.results import (
    CANCELLED,
    IGNORE,
    NO_REPLY,
    Continue,
    Fail,
    Hibernate,
    NoReply,
    Reply,
    Stop,
    Timeout,
    is_clean,
)

_ASYNC = (CoroutineType, Observed)  # the types of what an async callback returns
# Supervisors that start one another on one stack; deeper ones start in tasks, because Python's
# stack is limited.
MAX_EAGER_DEPTH = 16


class ServerProcess(Process):
    """The process of one server, from its start to its exit.

    ``phase`` is "starting", "running", "terminating" or "dead". While it is running, it is idle,
    or has messages and is in the run queue, or runs a callback. ``continued`` is the number of
    `Continue` results.
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
        "suspended",
        "table",
        "task",
    )

    continued: Extra[int] = Extra("continued")
    start: Extra[Start | None] = Extra("start")  # while its init is suspended, or has failed

    def __init__(
        self, runtime: Runtime, table: CallbackTable, name: Name | None, starter: Pid | None
    ) -> None:
        Process.__init__(self, runtime, starter)  # super() takes 2 % of a start in CPython 3.11
        self.table = table
        self.name = name
        self.parent: Pid | None = None
        self.server: Any = None
        self.phase = "starting"
        self.callback: str | None = None  # the name of the running callback
        self.task: asyncio.Task[Any] | None = None  # the task of a suspended async callback
        self.direct = False
        self.mailbox: deque[Queued] | None = None  # None while the server is idle
        self.callers: OneOrMany[From] = None
        self.trap_exit = table.options.trap_exit
        self.exit_pending: tuple[Any, bool] | None = None  # reason; whether terminate must run
        self.idle_timer: Timer | None = None
        self.suspended = False
        self.debugging: Any = None
        # While it terminates: the item that it handled, its caller, the exit reason, the reply.
        self.ending: tuple[Item | None, From | None, Any, Any] | None = None

    # -- Start

    def initialise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Start | None:
        """Create the server and run its ``init``.

        Returns:
            ``None`` if the server has started; otherwise its `Start`, which holds the error or
            gets the result.
        """
        self.dispatch((INIT, (self, args, kwargs), None, None, copy_context()))
        if self.phase == "starting":
            if self.callback is not None:  # init is suspended
                self.start = Start()
                return self.start
            self._started()
            self.become_idle()
            return None
        self.after_callback()
        start, self.start = self.start, None
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
        self.handled = 0  # ``init`` is not a message
        if telemetry.enabled:
            telemetry.process_start(self.pid, self.kind())
        start = self.start
        if start is not None:
            self.start = None
            start.done()

    def start_failed(self, reason: Any, error: StartError | None = None) -> None:
        """Exit before the start is complete; the starter gets the error.

        The link to the parent is removed first: it must not get an exit signal as well.
        """
        start, self.start = self.start, None
        if self.parent is not None:
            self.unlink(self.parent)
        self.complete_exit(reason)
        if start is None:  # init has not suspended: for `initialise`, below on the stack
            start = self.start = Start()
        start.done(error or StartError(reason, self.class_name()))

    def abort_start(self, reason: Any) -> None:
        """Kill a server whose ``init`` is suspended."""
        if self.phase == "starting":
            self._exit(reason, terminate=False)

    def discard(self) -> None:
        """Remove a process that was not started, because its name is taken."""
        self.phase = "dead"
        self.unregister()

    # -- Queueing messages

    def deliver(self, message: Any) -> None:
        """Queue a message for ``handle_info``."""
        context = telemetry.carried(self.runtime.context) if telemetry.observes else None
        self.enqueue((self.table.info, (message,), None, None, context))

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Queue a cast."""
        callback = self.table.casts.get(name) or self.table.cast(name)
        item = (callback, args, kwargs, None, None) if args or kwargs else callback.bare
        if telemetry.observes:
            context = telemetry.carried(self.runtime.context)
            item = (callback, args, kwargs, None, context)
        if self.mailbox is not None:
            self.mailbox.append(item)
        else:
            self.enqueue(item)

    def cast_bare(self, request: Any) -> None:
        """Queue a request for ``handle_cast``."""
        if telemetry.observes:
            self.cast("handle_cast", (request,), None)
            return
        if request.__class__ is tuple:
            request = (request,)
        if self.mailbox is not None:
            self.mailbox.append(request)
        else:
            self.enqueue(request)

    def item_of(self, queued: Queued) -> Item:
        """Return the item of something from the mailbox."""
        if queued.__class__ is not tuple:
            return self.table.handle_cast, (queued,), None, None, None
        if len(queued) == 1:
            return self.table.handle_cast, queued, None, None, None
        item: Item = queued
        return item

    def enqueue(self, queued: Queued) -> None:
        """Append ``queued`` to the mailbox; if the server was idle, schedule a turn."""
        if self.mailbox is not None:
            self.mailbox.append(queued)
            return
        if self.callback is None and not self.suspended:
            self.runtime.schedule(self)  # first, because it can raise: nothing has changed then
        self.mailbox = deque((queued,))
        self.direct = False
        if self.idle_timer is not None and not is_system(queued):
            self.cancel_idle_timer()

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Any:
        """Start a call: run it on the caller's stack if the server is idle, otherwise queue it.

        Returns:
            The reply, or a `PendingReply`.
        """
        from_ = From(self, dest)
        item = self._call_item(name, args, kwargs, from_, copy_context())
        if self.direct and (
            self.runtime.budget > 0 or self.runtime.allows_direct_call(self, name, args, kwargs)
        ):
            self.runtime.budget -= 1
            self.handle(item)
            return self._answer(from_)
        self._check_self_call(dest)
        self.callers = one_or_many.add(self.callers, from_)
        self.enqueue(item)
        return PendingReply(from_)

    def request_from(
        self,
        from_: From,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Queue a call whose caller is not in this program; ``from_`` sends the reply."""
        item = self._call_item(name, args, kwargs, from_, self.runtime.context.copy())
        self.callers = one_or_many.add(self.callers, from_)
        self.enqueue(item)

    def _call_item(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        from_: From,
        context: Context,
    ) -> Item:
        callback = self.table.calls.get(name) or self.table.call(name)
        if name == "handle_call":
            args = (*args, from_)
        elif callback.wants_from:
            kwargs = {**(kwargs or {}), "from_": from_}
        return callback, args, kwargs, from_, context

    def finish_direct(
        self,
        dest: Dest,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        from_: From | None,
        context: Context,
        result: Any = None,
        error: BaseException | None = None,
    ) -> Any:
        """Complete a call that the fast path of the client started, but cannot complete itself.

        The fast path completes calls that return a plain reply and leave the server as idle as it
        was. The first case here is the same for a `Fail`.
        """
        if (
            result.__class__ is Fail
            and result.then is None
            and from_ is None
            and self.mailbox is None
            and self.exit_pending is None
        ):
            self.handled += 1
            self.callback = None
            self.direct = True
            refusal = result.error
            try:
                raise refusal
            finally:
                del refusal, result  # the error's traceback holds this frame: a reference cycle
        from_ = from_ or From(self, dest)
        item = self._call_item(name, args, kwargs, from_, context)
        try:
            if error is not None:
                self.failed(item, error)
            else:
                self.finish(item, result)
            self.after_callback()
            return self._answer(from_)
        finally:
            del error, result  # as above

    def _answer(self, from_: From) -> Any:
        if not from_.is_open:
            interrupted = self.runtime.interrupted
            if interrupted is not None and asyncio.current_task() is interrupted:
                # The callback has killed its caller. Waiting for the reply suspends the caller's
                # task, which raises the cancellation; without it, the caller would go on.
                return PendingReply(from_)
            return from_.outcome()
        if self.phase == "dead":
            from_.fail("noproc")
            return from_.outcome()
        self.callers = one_or_many.add(self.callers, from_)
        return PendingReply(from_)

    def _check_self_call(self, dest: Dest) -> None:
        # Only the task that runs the callback would wait for itself. Other tasks that the server
        # has created can call it.
        if self.task is not None and asyncio.current_task() is self.task:
            raise CallingSelfError(dest)

    def call_ended(self, from_: From) -> None:
        """Remove a caller: it has its reply, or no longer waits."""
        if self.callers is not None:
            self.callers = one_or_many.remove(self.callers, from_)

    def force_slow_path(self) -> None:
        """Make a running direct call take the slow path: a mailbox exists, so it is not plain."""
        if self.mailbox is None:
            self.mailbox = deque()

    def system(self, request: SystemRequest) -> None:
        """Handle ``request`` after the queued messages, or at once when idle or suspended."""
        if self.phase == "dead":
            return
        item: Item = (SYSTEM, (self, request), None, None, None)
        if self.callback is None and (self.suspended or self.mailbox is None):
            self.handle(item)
        else:
            self.enqueue(item)

    def later(self, request: SystemRequest) -> None:
        """Handle ``request`` in a later turn, never at once."""
        self.enqueue((SYSTEM, (self, request), None, None, None))

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the queued messages for which ``unwanted`` is true."""
        if self.mailbox:
            info, kept = self.table.info, deque[Queued]()
            for queued in self.mailbox:
                callback, args, _, _, _ = self.item_of(queued)
                if callback is not info or not unwanted(args[0]):
                    kept.append(queued)
            self.mailbox = kept

    def _take_out(self, item: Item) -> None:
        # By identity: a message can be any object, whose == can return or raise anything.
        self.mailbox = deque(other for other in self.mailbox or () if other is not item)

    # -- Handling messages, one at a time

    def turn(self) -> None:
        """Handle queued messages, within the budget."""
        if self.callback is not None:
            return  # `after_callback` schedules the next turn
        runtime = self.runtime
        allowed = runtime.budget if runtime.budget > 0 else 1
        if self.mailbox and not self.suspended:
            handled = self.dispatch(self.mailbox.popleft(), allowed)
            runtime.budget -= handled
            if handled == allowed and self.mailbox:
                runtime.suspects.setdefault(self.pid, False)  # see `mailboxes`
        self.after_callback()

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        self.dispatch(item)
        self.after_callback()

    def dispatch(self, queued: Queued, limit: int = 1) -> int:
        """Run the callback of ``queued`` and apply its result, then those of queued ones.

        Every callback runs here, except that of a direct call by a client function: it contains
        the lines of this method for that case (see `clients`), and ``test_client_and_dispatch``
        shows that it does the same.

        Args:
            queued: The first to handle; it is not in the mailbox.
            limit: How many to handle at most.

        Returns:
            The number handled.
        """
        self.direct = False
        total = 0
        while True:
            if (
                self.mailbox
                and limit > total + 1
                and self.debugging is None
                and shares_context(queued)
            ):
                context = self.runtime.context.copy()
                ran: Ran = context.run(run_many, self, queued, context, limit - total)
                queued, handled, result, error = ran
                del ran
                total += handled
                if error is not None:
                    self.failed(self._with_context(queued, context), error)
                    return total
            else:
                total += 1
                queued = self.item_of(queued)
                callback, args, kwargs, _, context = queued
                self.callback = callback.name
                if self.debugging is not None and callback is not SYSTEM:
                    self.debugging.received(self, queued)
                run = run_one
                if context is None:  # nothing was observed when the cast or message was sent
                    context = self.runtime.context.copy()
                elif telemetry.observes:
                    run = run_observed
                try:
                    result = context.run(run, self, callback.function, args, kwargs)
                except BaseException as error:
                    self.failed(self._with_context(queued, context), error)
                    return total
                if (
                    result is None
                    and callback.plain
                    and self.exit_pending is None
                    and self.debugging is None
                ):  # the usual result of a cast or message: all that `finish` would do
                    self.handled += 1
                    self.callback = None
                    result = USUAL
            if result is not USUAL:
                self.finish(self._with_context(queued, context), result)
                del result  # the traceback of an error in a `Fail` can hold this frame
                if self.callback is not None or self.suspended or self.phase != "running":
                    return total
            mailbox = self.mailbox
            if total == limit or not mailbox:
                return total
            queued = mailbox.popleft()

    def _with_context(self, queued: Queued, context: Context) -> Item:
        """Return the item of what was handled in ``context``."""
        callback, args, kwargs, from_, own = item = self.item_of(queued)
        return item if own is context else (callback, args, kwargs, from_, context)

    def after_callback(self) -> None:
        """Schedule a turn if messages are queued, otherwise become idle.

        A suspended server handles its system requests only.
        """
        if self.callback is not None or self.phase == "dead":
            return
        if self.suspended:
            self._handle_system_requests()
        elif self.mailbox:
            self.runtime.schedule(self)
        else:
            self.become_idle()

    def become_idle(self) -> None:
        """Become idle, unless messages are queued."""
        if self.mailbox:
            self.runtime.schedule(self)
            return
        self.mailbox = None
        self.direct = (
            self.idle_timer is None
            and self.debugging is None
            and not self.suspended
            and self.runtime.direct_dispatch
        )

    def _handle_system_requests(self) -> None:
        waiting = [queued for queued in self.mailbox or () if is_system(queued)]
        for item in waiting:
            if self.mailbox is not None and self.callback is None:
                self._take_out(item)
                self.handle(item)

    # -- Results of callbacks

    def finish(self, item: Item, result: Any) -> None:
        """Apply the result of a callback; an async callback is run first."""
        if result.__class__ in _ASYNC:
            self._run(item, result)
            return
        callback, _, _, from_, _ = item
        self.callback = None
        if callback is not SYSTEM:
            self.handled += 1
            if self.debugging is not None:
                self.debugging.handled(self, callback, result)
        if self.exit_pending is not None:
            self.apply_pending_exit(item)
        elif self.phase == "starting":
            self.init_returned(item, result)
        elif self.phase == "terminating":
            self.complete_terminate()
        elif from_ is not None:
            self._finish_call(item, from_, result)
        elif result is not None:
            self.apply_then(item, result)

    def _finish_call(self, item: Item, from_: From, result: Any) -> None:
        match result:
            case _ if result.__class__ not in SPECIAL:
                from_.resolve(result)
            case Reply(value, then):
                from_.resolve(value)
                self.apply_then(item, then)
            case Fail(error, then):
                from_.refuse(error)
                self.apply_then(item, then)
            case NoReply(then):
                self.apply_then(item, then)
            case FutureReply():
                result.answer(from_)
            case Stop():
                self.apply_then(item, result)
            case _:
                self._bad_result(item, result, "a reply, Reply, Fail, NoReply or Stop")

    def apply_then(self, item: Item, then: Any) -> None:
        """Apply a `Continue`, `Timeout`, `Hibernate` or `Stop` that a callback returned."""
        match then:
            case None | Hibernate():
                pass
            case Continue(value):
                self._continue_with(value, item)
            case Timeout(seconds):
                self._arm(seconds)
            case Stop(reason, reply):
                if reply is not NO_REPLY and caller_of(item) is None:
                    self._bad_result(item, then, "a Stop without a reply, as this is not a call")
                else:
                    self.terminate(reason, item, reply)
            case _:
                self._bad_result(item, then, "None, Continue, Timeout, Hibernate or Stop")

    def _bad_result(self, item: Item, result: Any, expected: str) -> None:
        error = TypeError(
            f"{self.class_name()}.{callback_of(item).name} returned {result!r}; expected {expected}"
        )
        self.failed(item, error)

    def _continue_with(self, value: Any, after: Item) -> None:
        self.count_continue()
        context = context_of(after) if telemetry.observes else None
        if context is not None:
            context = context.run(telemetry.carried, self.runtime.context)
        item: Item = (self.table.continued, (value,), None, None, context)
        if self.mailbox:
            self.mailbox.appendleft(item)  # handle_continue runs before any queued message
        else:
            self.mailbox = deque((item,))

    def _arm(self, seconds: float) -> None:
        if any(not is_system(queued) for queued in self.mailbox or ()):
            return  # a message has already arrived
        if seconds == 0:
            item: Item = (self.table.info, ("timeout",), None, None, None)
            self.mailbox = deque((*(self.mailbox or ()), item))
        else:
            self.idle_timer = self.runtime.timers.after(seconds, self._idle)

    def _idle(self) -> None:
        self.idle_timer = None
        self.deliver("timeout")

    def failed(self, item: Item, error: BaseException, *, in_task: bool = False) -> None:
        """Terminate the server because a callback raised ``error``.

        Args:
            item: The item that the callback handled.
            error: Its exception.
            in_task: Whether asyncio, or `eager`, has already raised a `SystemExit` or
                `KeyboardInterrupt` out of the event loop.
        """
        callback = callback_of(item)
        self.callback = None
        if self.debugging is not None and callback is not SYSTEM:
            self.debugging.raised(self, callback, error)
        if self.exit_pending is not None:
            self.apply_pending_exit(item)
        elif self.phase == "starting":
            self.start_failed(error)
        elif self.phase == "terminating":
            self.complete_terminate(error)
        else:
            self.terminate(error, item)
        if not in_task and not isinstance(error, Exception):
            self.runtime.exit_program(error)

    def count_continue(self) -> None:
        """Count a `Continue` for the watchdog; see `continuing`."""
        self.continued += 1
        self.runtime.suspects.setdefault(self.pid, False)

    def cancel_idle_timer(self) -> None:
        """Cancel the idle timer."""
        if self.idle_timer is not None:
            self.runtime.timers.cancel(self.idle_timer)
            self.idle_timer = None

    # -- Async callbacks

    def _run(self, item: Item, coroutine: Any) -> None:
        """Run an async callback; the server handles no other message until it has ended."""
        context = self._context_for(item)
        if self.table.eager and self.runtime.eager_depth < MAX_EAGER_DEPTH:
            outcome = self._step(coroutine, context)
            if isinstance(outcome, eager.Outcome):
                self._eager_step_ended(item, outcome)
                return
            self.task = outcome
        else:
            self.task = asyncio.Task(coroutine, loop=self.runtime.loop, context=context)
        # Messages can pile up until the callback ends; see `mailboxes`.
        self.runtime.suspects.setdefault(self.pid, False)
        self.task.add_done_callback(partial(self._task_done, item), context=self.runtime.context)
        if self.exit_pending is not None:  # the callback has killed its own server in a first step
            self.cancel_callback()

    def _context_for(self, item: Item | None) -> Context:
        """Return the context of ``item``, or an empty one."""
        context = None if item is None else context_of(item)
        return self.runtime.context.copy() if context is None else context

    def _step(self, coroutine: Any, context: Context) -> eager.Outcome | asyncio.Task[Any]:
        runtime = self.runtime
        runtime.eager_depth += 1
        try:
            return eager.step(coroutine, context, runtime.loop)
        finally:
            runtime.eager_depth -= 1

    def _eager_step_ended(self, item: Item, outcome: eager.Outcome) -> None:
        if outcome.error is not None:
            self.failed(item, outcome.error, in_task=True)
        else:
            self.finish(item, outcome.value)

    def _task_done(self, item: Item, task: asyncio.Task[Any]) -> None:
        if self.phase == "dead":
            return  # `abandon` has completed the exit before
        self.task = None
        if task.cancelled() and task.cancelling() and self.exit_pending is None:
            # Cancelled by other code than an exit signal: asyncio.run is ending the event loop.
            self.exit_pending = (CANCELLED, False)
        error = failure(task)
        if error is not None:
            self.failed(item, error, in_task=True)
        else:
            self.finish(item, task.result())
        self.after_callback()

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
        from_ = caller_of(item)
        if from_ is not None:
            from_.fail(reason)
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
        from_ = caller_of(item)
        self.ending = (item, from_, reason, reply)
        if self.idle_timer is not None:
            self.cancel_idle_timer()
        callback = self.table.terminate
        if callback is None:
            self.complete_terminate()
            return
        if from_ is not None:  # also of a direct call: a kill meanwhile fails it with the others
            self.callers = one_or_many.add(self.callers, from_)
        self.dispatch((callback, (reason,), None, None, self._context_for(item)))

    def complete_terminate(self, error: BaseException | None = None) -> None:
        """Exit after ``terminate`` has returned, or has raised ``error``, which is the reason."""
        assert self.ending is not None  # noqa: S101 - the phase is "terminating"
        item, from_, reason, reply = self.ending
        reason = reason if error is None else error
        if not is_clean(reason) and (error is not None or not self.reported):
            reports.crash(self, reason, item)
        if from_ is not None:
            if reply is NO_REPLY:
                from_.fail(reason)
            else:
                from_.answer(reply)
        self.complete_exit(reason)

    def complete_exit(self, reason: Any) -> None:
        """Exit: no callback runs any longer."""
        self.phase = "dead"
        self.callback = self.ending = None
        self.direct = False
        self.die(reason)

    def drop_messages(self, reason: Any) -> None:
        """Drop the mailbox and its idle timer; raise `ExitError` in the callers that wait."""
        self.mailbox = None
        if self.idle_timer is not None:
            self.cancel_idle_timer()
        if self.callers is not None:
            for from_ in one_or_many.items(self.callers):
                from_.fail(reason)
            self.callers = None

    def dependents(self) -> list[Pid]:
        """Return the dependent processes, such as the holders of a registry's keys."""
        if self.table.dependents is None or self.server is None:
            return []
        found: list[Pid] = self.table.dependents(self.server)
        return found

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


def _is_kill(reason: Any) -> bool:
    return isinstance(reason, str) and reason == "killed"
