"""`ServerProcess`: the process of a server. It has no task of its own; callbacks run it.

How a message is handled: `ServerProcess.enqueue` puts an item into the mailbox and schedules a
turn. `ServerProcess.turn` takes items out and runs the callback of each. `finish` applies what
the callback returns, `failed` what it raises. `after_callback` then schedules the next turn, or
makes the server idle. A call to an idle server skips the mailbox; see `request`.

Invariants:

1. At most one callback runs. ``callback`` holds its name until it has ended, also while it is
   suspended in ``task``; `turn` returns at once meanwhile.
2. The mailbox of an idle server is ``None``. So the first message of an idle server is the one
   that schedules its turn, and a mailbox that exists after a direct call shows that something
   arrived meanwhile.
3. ``direct`` is true only for an idle server with no idle timer, no debug option and no suspension.
   Any of them must see each message, which the fast path would not show it.
4. An exit signal that arrives while a callback runs is kept in ``exit_pending`` and applied when
   the callback ends. Python code cannot be stopped in the middle of a plain function.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._runtime import eager, one_or_many
from beamish._runtime.process import SystemRequest
from beamish._runtime.tasks import failure
from beamish._server.items import SYSTEM, Item
from beamish._server.lifecycle import Lifecycle
from beamish._server.observed import Observed, enter_observed
from beamish._server.requests import SPECIAL, From, FutureReply, PendingReply, enter
from beamish.errors import CallingSelfError
from beamish.pid import Dest
from beamish.results import (
    CANCELLED,
    NO_REPLY,
    Continue,
    Fail,
    Hibernate,
    NoReply,
    Reply,
    Stop,
    Timeout,
)

_ASYNC = (CoroutineType, Observed)  # the types of what an async callback returns
# Supervisors that start one another on one stack; deeper ones start in tasks, because Python's
# stack is limited.
MAX_EAGER_DEPTH = 16
MAX_TURN_MESSAGES = 64


class ServerProcess(Lifecycle):
    """The process of one server.

    It is idle, or has messages and is in the run queue, or runs a callback.
    """

    __slots__ = ()

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
            item = (*item[:4], telemetry.carried(self.runtime.context))
        if self.mailbox is not None:
            self.mailbox.append(item)
        else:
            self.enqueue(item)

    def enqueue(self, item: Item) -> None:
        """Append ``item`` to the mailbox; if the server was idle, schedule a turn."""
        if self.mailbox is not None:
            self.mailbox.append(item)
            return
        if self.callback is None and not self.suspended:
            self.runtime.schedule(self)  # first, because it can raise: nothing has changed then
        self.mailbox = deque((item,))
        self.direct = False
        if self.idle_timer is not None and item[0] is not SYSTEM:
            self.cancel_idle_timer()

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Any:
        """Start a call: run it on the caller's stack if the server is idle, otherwise queue it.

        Returns:
            The reply, or a `PendingReply`.
        """
        callback = self.table.call(name)
        from_ = From(self, dest)
        if name == "handle_call":
            args = (*args, from_)
        elif callback.wants_from:
            kwargs = {**(kwargs or {}), "from_": from_}
        item: Item = (callback, args, kwargs, from_, copy_context())
        if self.direct and (self.runtime.budget > 0 or self.runtime.refill_budget()):
            self.runtime.budget -= 1
            self.handle(item)
            return self._answer(from_)
        self._check_self_call(dest)
        self.callers = one_or_many.add(self.callers, from_)
        self.enqueue(item)
        return PendingReply(from_)

    def finish_direct(
        self,
        dest: Dest,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
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
            and self.mailbox is None
            and self.exit_pending is None
        ):
            self.handled += 1
            self.callback = None
            self.direct = True
            error = result.error
            try:
                raise error
            finally:
                del error, result  # the error's traceback holds this frame: a reference cycle
        from_ = From(self, dest)
        item: Item = (self.table.calls[name], args, kwargs, from_, context)
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
            info = self.table.info
            self.mailbox = deque(
                item for item in self.mailbox if item[0] is not info or not unwanted(item[1][0])
            )

    def _take_out(self, item: Item) -> None:
        # By identity: a message can be any object, whose == can return or raise anything.
        self.mailbox = deque(other for other in self.mailbox or () if other is not item)

    # -- Handling messages, one at a time

    def turn(self) -> None:
        """Handle at most `MAX_TURN_MESSAGES` queued messages, within the budget."""
        if self.callback is not None:
            return  # `after_callback` schedules the next turn
        runtime, mailbox = self.runtime, self.mailbox
        new_context = runtime.context.copy
        allowed = left = min(MAX_TURN_MESSAGES, max(runtime.budget, 1))
        while mailbox and left and not self.suspended:
            left -= 1
            item = mailbox.popleft()
            callback, args, kwargs, _, carried = item
            if carried is not None or not callback.plain or self.debugging is not None:
                self.run_callback(item)
            else:
                # run_callback, written out for a cast or message: it runs in an empty context,
                # and needs no more than that its callback has returned None.
                self.callback = callback.name
                context = new_context()
                try:
                    result = context.run(enter, self, callback.function, args, kwargs)
                except BaseException as error:
                    self.failed(item, error)
                else:
                    if result is None and self.exit_pending is None and self.mailbox is mailbox:
                        self.handled += 1
                        self.callback = None
                        continue
                    self.finish((callback, args, kwargs, None, context), result)
            if self.callback is not None or self.phase != "running":
                break
            mailbox = self.mailbox
        runtime.budget -= allowed - left
        if not left and mailbox:
            runtime.suspects.setdefault(self.pid, False)  # see `mailboxes`
        self.after_callback()

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        self.run_callback(item)
        self.after_callback()

    def run_callback(self, item: Item) -> None:
        """Run one callback, and apply its result."""
        callback, args, kwargs, _, context = item
        self.direct = False
        self.callback = callback.name
        if self.debugging is not None and callback is not SYSTEM:
            self.debugging.received(self, item)
        if context is None:
            context = self.runtime.context.copy()
            item = (*item[:4], context)
        try:
            run = enter_observed if telemetry.observes and callback is not SYSTEM else enter
            result = context.run(run, self, callback.function, args, kwargs)
        except BaseException as error:
            self.failed(item, error)
        else:
            self.finish(item, result)
            del result  # the traceback of an error in a `Fail` can hold this frame

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
        waiting = [item for item in self.mailbox or () if item[0] is SYSTEM]
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
        self.callback = None
        if item[0] is not SYSTEM:
            self.handled += 1
            if self.debugging is not None:
                self.debugging.handled(self, item, result)
        if self.exit_pending is not None:
            self.apply_pending_exit(item)
        elif self.phase == "starting":
            self.init_returned(item, result)
        elif self.phase == "terminating":
            self.complete_terminate()
        elif item[3] is not None:
            self._finish_call(item, item[3], result)
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
                if reply is not NO_REPLY and item[3] is None:
                    self._bad_result(item, then, "a Stop without a reply, as this is not a call")
                else:
                    self.terminate(reason, item, reply)
            case _:
                self._bad_result(item, then, "None, Continue, Timeout, Hibernate or Stop")

    def _bad_result(self, item: Item, result: Any, expected: str) -> None:
        error = TypeError(
            f"{self.class_name()}.{item[0].name} returned {result!r}; expected {expected}"
        )
        self.failed(item, error)

    def _continue_with(self, value: Any, after: Item) -> None:
        self.count_continue()
        context = after[4] if telemetry.observes else None
        if context is not None:
            context = context.run(telemetry.carried, self.runtime.context)
        item: Item = (self.table.continued, (value,), None, None, context)
        if self.mailbox:
            self.mailbox.appendleft(item)  # handle_continue runs before any queued message
        else:
            self.mailbox = deque((item,))

    def _arm(self, seconds: float) -> None:
        if any(item[0] is not SYSTEM for item in self.mailbox or ()):
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
        self.callback = None
        if self.debugging is not None and item[0] is not SYSTEM:
            self.debugging.raised(self, item, error)
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

    # -- Async callbacks

    def _run(self, item: Item, coroutine: Any) -> None:
        """Run an async callback; the server handles no other message until it has ended."""
        context = self.context_of(item)
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
