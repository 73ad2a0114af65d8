"""`ServerProcess`: the process behind a GenServer. It has no task; callbacks run it."""

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
from beamish._server.requests import SPECIAL, From, Later, Waiting, enter
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

_ASYNC = (CoroutineType, Observed)  # what an async callback gives
_EAGER_DEPTH = 16  # supervisors that start one another on one stack, before tasks take over
_TURN = 64  # messages that one process handles before the next has its turn


class ServerProcess(Lifecycle):
    """The process of one server.

    It is idle, or has messages in its mailbox and stands in the run queue, or runs one callback:
    ``callback`` names it, and ``task`` runs it if it is async and waits. ``direct`` says that it
    is idle with nothing in the way, so that a call may run on the caller's stack.
    """

    __slots__ = ()

    # -- Messages come in

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
        """Put ``item`` at the end of the mailbox, and ask for a turn if it is the first."""
        if self.mailbox is not None:
            self.mailbox.append(item)
            return
        if self.callback is None and not self.suspended:
            self.runtime.schedule(self)  # which may refuse: then nothing has changed
        self.mailbox = deque((item,))
        self.direct = False
        if self.idle_timer is not None and item[0] is not SYSTEM:
            self.disarm()

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
        if self.direct and (self.runtime.budget > 0 or self.runtime.refill_budget()):
            self.runtime.budget -= 1
            self.handle(item)
            return self._answer(from_)
        self._refuse_self_call(dest)
        self.callers = one_or_many.add(self.callers, from_)
        self.enqueue(item)
        return Waiting(from_)

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
        """End a call that the fast path began, but that turned out not to be plain."""
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
                del error, result  # see below
        from_ = From(self, dest)
        item: Item = (self.table.calls[name], args, kwargs, from_, context)
        try:
            if error is not None:
                self.failed(item, error)
            else:
                self.finish(item, result)
            self.go_on()
            return self._answer(from_)
        finally:
            # Otherwise this frame, which is in the error's traceback, would hold the error.
            del error, result

    def _answer(self, from_: From) -> Any:
        if not from_.is_open:
            interrupted = self.runtime.interrupted
            if interrupted is not None and asyncio.current_task() is interrupted:
                return Waiting(from_)  # the caller was killed meanwhile, and is to notice
            return from_.outcome()
        if self.phase == "dead":
            from_.fail("noproc")
            return from_.outcome()
        self.callers = one_or_many.add(self.callers, from_)
        return Waiting(from_)

    def _refuse_self_call(self, dest: Dest) -> None:
        # Only the task that runs the callback would wait for itself; its other tasks may call.
        if self.task is not None and asyncio.current_task() is self.task:
            raise CallingSelfError(dest)

    def call_is_over(self, from_: From) -> None:
        """Forget who waited: there is a reply, or the caller gave up."""
        if self.callers is not None:
            self.callers = one_or_many.remove(self.callers, from_)

    def force_slow_path(self) -> None:
        """Make the direct call that this process answers take the slow path."""
        if self.mailbox is None:
            self.mailbox = deque()

    def system(self, request: SystemRequest) -> None:
        """Answer ``request`` after the messages before it; at once when idle or suspended."""
        if self.phase == "dead":
            return
        item: Item = (SYSTEM, (self, request), None, None, None)
        if self.callback is None and (self.suspended or self.mailbox is None):
            self.handle(item)
        else:
            self.enqueue(item)

    def later(self, request: SystemRequest) -> None:
        """Answer ``request`` in a later turn, never at once."""
        self.enqueue((SYSTEM, (self, request), None, None, None))

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages that are ``unwanted`` from the mailbox."""
        if self.mailbox:
            info = self.table.info
            self.mailbox = deque(
                item for item in self.mailbox if item[0] is not info or not unwanted(item[1][0])
            )

    def _take_out(self, item: Item) -> None:
        # By identity: messages are any values, whose == may do anything.
        self.mailbox = deque(other for other in self.mailbox or () if other is not item)

    # -- Messages are handled, one at a time

    def turn(self) -> None:
        """Handle some of the messages that wait."""
        if self.callback is not None:
            return  # it goes on when that has ended
        runtime, mailbox = self.runtime, self.mailbox
        new_context = runtime.context.copy
        allowed = left = min(_TURN, max(runtime.budget, 1))
        while mailbox and left and not self.suspended:
            left -= 1
            item = mailbox.popleft()
            callback, args, kwargs, _, carried = item
            if carried is not None or not callback.plain or self.debugging is not None:
                self.run_callback(item)
            else:
                # What follows is run_callback, for a cast or message that asks for nothing more.
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
            runtime.suspects.setdefault(self.pid, False)  # see `mailboxes`: free, once a turn
        self.go_on()

    def handle(self, item: Item) -> None:
        """Handle one message now."""
        self.run_callback(item)
        self.go_on()

    def run_callback(self, item: Item) -> None:
        """Run one callback, and act on its result."""
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
            del result  # an error in a `Fail` can have this frame in its traceback

    def go_on(self) -> None:
        """Go on after a callback: with what waits, or to rest."""
        if self.callback is not None or self.phase == "dead":
            return
        if self.suspended:
            self._answer_system_requests()
        elif self.mailbox:
            self.runtime.schedule(self)
        else:
            self.rest()

    def rest(self) -> None:
        """Be idle from now on, if nothing waits."""
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

    def _answer_system_requests(self) -> None:
        waiting = [item for item in self.mailbox or () if item[0] is SYSTEM]
        for item in waiting:
            if self.mailbox is not None and self.callback is None:
                self._take_out(item)
                self.handle(item)

    # -- What callbacks return

    def finish(self, item: Item, result: Any) -> None:
        """Act on the result of a callback."""
        if result.__class__ in _ASYNC:
            self._run(item, result)
            return
        self.callback = None
        if item[0] is not SYSTEM:
            self.handled += 1
            if self.debugging is not None:
                self.debugging.handled(self, item, result)
        if self.exit_pending is not None:
            self.exit_now(item)
        elif self.phase == "starting":
            self.init_returned(item, result)
        elif self.phase == "terminating":
            self.terminated()
        elif item[3] is not None:
            self._finish_call(item, item[3], result)
        elif result is not None:
            self.do_then(item, result)

    def _finish_call(self, item: Item, from_: From, result: Any) -> None:
        match result:
            case _ if result.__class__ not in SPECIAL:
                from_.resolve(result)
            case Reply(value, then):
                from_.resolve(value)
                self.do_then(item, then)
            case Fail(error, then):
                from_.refuse(error)
                self.do_then(item, then)
            case NoReply(then):
                self.do_then(item, then)
            case Later():
                result.answer(from_)
            case Stop():
                self.do_then(item, result)
            case _:
                self._bad_result(item, result, "a reply, Reply, Fail, NoReply or Stop")

    def do_then(self, item: Item, then: Any) -> None:
        """Do what a callback asked for beside its result."""
        match then:
            case None | Hibernate():
                pass
            case Continue(value):
                self._continue_with(value, item)
            case Timeout(seconds):
                self._arm(seconds)
            case Stop(reason, reply):
                if reply is not NO_REPLY and item[3] is None:
                    self._bad_result(item, then, "a Stop without a reply: nobody waits for one")
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
            self.mailbox.appendleft(item)  # before any queued message
        else:
            self.mailbox = deque((item,))

    def _arm(self, seconds: float) -> None:
        if any(item[0] is not SYSTEM for item in self.mailbox or ()):
            return  # a message has come already
        if seconds == 0:
            item: Item = (self.table.info, ("timeout",), None, None, None)
            self.mailbox = deque((*(self.mailbox or ()), item))
        else:
            self.idle_timer = self.runtime.timers.after(seconds, self._idle)

    def _idle(self) -> None:
        self.idle_timer = None
        self.deliver("timeout")

    def failed(self, item: Item, error: BaseException, *, in_task: bool = False) -> None:
        """End the server for an exception of a callback.

        With ``in_task``, an asyncio task has raised it out of the event loop if it ends programs.
        """
        self.callback = None
        if self.debugging is not None and item[0] is not SYSTEM:
            self.debugging.raised(self, item, error)
        if self.exit_pending is not None:
            self.exit_now(item)
        elif self.phase == "starting":
            self.start_failed(error)
        elif self.phase == "terminating":
            self.terminated(error)
        else:
            self.terminate(error, item)
        if not in_task and not isinstance(error, Exception):
            self.runtime.exit_program(error)

    # -- Async callbacks

    def _run(self, item: Item, coroutine: Any) -> None:
        """Run an async callback; the server takes no other message until it has ended."""
        context = self.context_of(item)
        if self.table.eager and self.runtime.eager_depth < _EAGER_DEPTH:
            outcome = self._step(coroutine, context)
            if isinstance(outcome, eager.Outcome):
                self._ran(item, outcome)
                return
            self.task = outcome
        else:
            self.task = asyncio.Task(coroutine, loop=self.runtime.loop, context=context)
        self.runtime.suspects.setdefault(self.pid, False)  # until it has ended, messages wait
        self.task.add_done_callback(partial(self._task_done, item), context=self.runtime.context)
        if self.exit_pending is not None:  # by the callback itself, in its first step
            self.cancel_callback()

    def _step(self, coroutine: Any, context: Context) -> eager.Outcome | asyncio.Task[Any]:
        runtime = self.runtime
        runtime.eager_depth += 1
        try:
            return eager.step(coroutine, context, runtime.loop)
        finally:
            runtime.eager_depth -= 1

    def _ran(self, item: Item, outcome: eager.Outcome) -> None:
        if outcome.error is not None:
            self.failed(item, outcome.error, in_task=True)
        else:
            self.finish(item, outcome.value)

    def _task_done(self, item: Item, task: asyncio.Task[Any]) -> None:
        if self.phase == "dead":
            return  # abandoned
        self.task = None
        if task.cancelled() and task.cancelling() and self.exit_pending is None:
            self.exit_pending = (CANCELLED, False)  # from outside: the event loop is ending
        error = failure(task)
        if error is not None:
            self.failed(item, error, in_task=True)
        else:
            self.finish(item, task.result())
        self.go_on()
