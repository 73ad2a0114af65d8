"""`ManyChildren`: starts, restarts and stops very many independent children.

Children whose ``init`` suspends start concurrently; the supervisor handles other messages
meanwhile. So a start ends in a function ``done(pid, error)``, which runs in the same step in which
``init`` returns: no exit and no request can come between the end of a start and its effect.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from beamish._runtime import eager
from beamish._runtime.tasks import failure
from beamish._server.items import ChildExit
from beamish._server.methods import call, checked_call
from beamish._server.requests import FutureReply
from beamish._server.start import ClassStart, PendingStart
from beamish._strategy import RestartWindow, restarts
from beamish._supervision.base import SupervisorBase
from beamish._supervision.errors import insignificance_error, not_found
from beamish._supervision.launch import as_start_error, launch, link_to, strays
from beamish._supervision.reports import log, log_exit, log_failed_restart, log_give_up, log_restart
from beamish._supervision.restarting import CrashHistory, RestartingChild
from beamish._supervision.specs import pid_of_child, title_of
from beamish._supervision.termination import terminate_child, terminate_children
from beamish.child_spec import Backoff, ChildSpec, stored_start
from beamish.errors import ExitError, IgnoredError, MaxChildrenError, StartError
from beamish.pid import Pid
from beamish.results import ChildInfo, Counts, Fail, Stop

Intensity: TypeAlias = Literal["supervisor", "child"]
OnStarted: TypeAlias = Callable[[Pid | None, BaseException | None], Any]
OnGiveUp: TypeAlias = Callable[[ChildSpec, Pid, Any], object]


@dataclass(frozen=True, slots=True)
class DynamicSupervisorSpec:
    """The checked options of a supervisor, the result of `DynamicSupervisor.spec`."""

    max_restarts: int
    max_seconds: float
    max_children: int | None
    extra_arguments: tuple[Any, ...]
    backoff: Backoff | None
    intensity: Intensity
    on_give_up: OnGiveUp | None


class RestartRequest:
    """A request of a supervisor to itself to restart a child."""

    def __init__(self, last_pid: Pid) -> None:
        self._last_pid = last_pid

    def run(self, process: Any) -> Any:
        return process.server._restart_again(self._last_pid)


class ManyChildren(SupervisorBase):
    """A supervisor of children that are started on demand and restarted independently."""

    _spec_type: ClassVar[type[DynamicSupervisorSpec]] = DynamicSupervisorSpec

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: dict[Pid, ChildSpec] = {}
        self._restarting: dict[Pid, RestartingChild] = {}  # by the last pid
        # Starts whose init is suspended: a future of the result, and a function that cancels it.
        self._starts: dict[asyncio.Future[Any], Callable[[], object]] = {}
        self._new_starts = 0  # the number of starts that are not restarts
        # Exits during pending starts, of processes that can still become children.
        self._early_exits: dict[Pid, tuple[Any, bool]] = {}
        self._terminations: set[asyncio.Task[Any]] = set()  # of single children
        self._histories: dict[Pid, CrashHistory] = {}

    def _begin(self, spec: DynamicSupervisorSpec) -> None:
        self._options: DynamicSupervisorSpec = spec
        self._window: RestartWindow = self._new_window()

    def _new_window(self) -> RestartWindow:
        return RestartWindow(self._options.max_restarts, self._options.max_seconds)

    def _now(self) -> float:
        now: float = self._me.runtime.loop.time()
        return now

    async def _terminate(self, reason: Any) -> None:
        """Stop all children concurrently, including those whose start is pending."""
        for last_pid in list(self._restarting):
            self._drop_restarting(last_pid)
        while self._children or self._starts or self._terminations:
            for cancel in list(self._starts.values()):
                cancel()
            children, self._children = self._children, {}
            await terminate_children(self.pid, children.items())
            pending = [*self._starts, *self._terminations]
            if pending:
                await asyncio.wait(pending)
                await asyncio.sleep(0)  # let their done callbacks run first
        await terminate_children(self.pid, strays(self.pid))

    # -- Starting

    def _add(self, spec: ChildSpec) -> Pid | Fail | FutureReply:
        """Start a child; return its pid, a `Fail`, or a `FutureReply` of either."""
        if spec.significant:
            return Fail(insignificance_error(spec))
        limit = self._options.max_children
        if limit is not None and self._taken() >= limit:
            return Fail(MaxChildrenError(limit, title_of(spec)))

        def done(pid: Pid | None, error: BaseException | None) -> Pid | Fail:
            self._new_starts -= 1
            if pid is None:
                return _start_failure(error)
            self._adopt(pid, spec)
            return pid

        self._new_starts += 1
        return self._start(spec, done)  # type: ignore[no-any-return] # what done returns, or FutureReply

    def _taken(self) -> int:
        return len(self._children) + len(self._restarting) + self._new_starts

    def _start(self, spec: ChildSpec, done: OnStarted) -> Any:
        """Start a child; call ``done(pid, error)`` in the same step in which the start ends.

        Returns:
            The result of ``done``, or a `FutureReply` of it.
        """
        extra, start = self._options.extra_arguments, stored_start(spec)
        if extra or start.__class__ is not ClassStart:
            step = eager.step(launch(spec, extra), copy_context(), self._me.runtime.loop)
            if isinstance(step, eager.Outcome):
                return done(step.value, step.error)
            return FutureReply(self._when_task_ends(step, done))
        try:  # what `launch` does, without a coroutine
            begun = start.begin_child(spec, self.pid)
        except BaseException as error:  # such as the name of an unknown registry
            self._me.runtime.exit_program(error)
            return done(None, as_start_error(error, spec))
        if isinstance(begun, Pid):
            return done(begun, None)
        return FutureReply(self._when_started(begun, done))

    def _when_started(self, begun: PendingStart, done: OnStarted) -> asyncio.Future[Any]:
        process = begun.process
        future = self._future()
        self._starts[future] = lambda: process.abort_start("killed")

        def ended(error: StartError | None) -> None:
            self._start_ended(future, done, process.pid if error is None else None, error)

        begun.on_end(ended)
        return future

    def _when_task_ends(self, task: asyncio.Task[Any], done: OnStarted) -> asyncio.Future[Any]:
        future = self._future()
        self._starts[future] = task.cancel

        def ended(task: asyncio.Task[Any]) -> None:
            error = failure(task)
            self._start_ended(future, done, None if error else task.result(), error)

        task.add_done_callback(ended)
        return future

    def _future(self) -> asyncio.Future[Any]:
        loop: asyncio.AbstractEventLoop = self._me.runtime.loop
        return loop.create_future()

    def _start_ended(
        self,
        future: asyncio.Future[Any],
        done: OnStarted,
        pid: Pid | None,
        error: BaseException | None,
    ) -> None:
        del self._starts[future]
        result = done(pid, error) if self._me is not None else _start_failure(error)
        if not self._starts:
            self._early_exits.clear()
        if isinstance(result, FutureReply):  # the child is being stopped
            result.future.add_done_callback(lambda _: _set_result(future, None))
        else:
            _set_result(future, result)

    def _adopt(self, pid: Pid, spec: ChildSpec) -> None:
        self._children[pid] = spec
        if pid._process is not None:
            link_to(self.pid, pid)
        else:  # it has died before it became a child: handle its exit now
            self._me.later(ChildExit(pid, *self._early_exits.pop(pid, ("noproc", False))))

    # -- Exits of children

    def _child_exited(self, pid: Pid, reason: Any, reported: bool) -> Any:
        """Restart the child, remove it, or give it or the whole supervisor up."""
        spec = self._children.pop(pid, None)
        if spec is None:  # not a child, stopped meanwhile, or still in its start function
            if self._starts:
                self._early_exits[pid] = reason, reported
            return None
        log_exit(self.pid, spec, pid, reason, reported)
        history = self._histories.pop(pid, None) if self._histories else None
        if not restarts(spec.restart, reason):
            return None
        return self._restart(pid, RestartingChild(spec, history, reason))

    def _restart(self, last_pid: Pid, child: RestartingChild) -> Any:
        """Restart a child that has exited or failed to start, if that is not too often."""
        now = self._now()
        if child.history is None and (self._options.backoff or self._options.intensity == "child"):
            child.history = CrashHistory(self._new_window())
        per_child = self._options.intensity == "child"
        window = child.history.window if per_child and child.history else self._window
        if not window.allow(now):
            return self._give_up(last_pid, child)
        self._restarting[last_pid] = child
        if self._options.backoff is None:
            self._start_again(last_pid, child)
        else:
            self._wait(last_pid, child, now, self._options.backoff)
        if last_pid in self._restarting:  # otherwise the restart is already complete
            child.announce(last_pid, child.spec)
        return None

    def _no_longer_restarting(self, last_pid: Pid) -> RestartingChild:
        child = self._restarting.pop(last_pid)
        child.withdraw()
        return child

    def _dependents(self) -> list[Pid]:
        # Called at the supervisor's exit: no child is restarting any longer.
        for child in self._restarting.values():
            child.withdraw()
        # Only a killed supervisor has some left: their shutdown times end with it.
        for task in self._terminations:
            task.cancel()
        return []

    def _give_up(self, last_pid: Pid, child: RestartingChild) -> Any:
        spec = self._options
        limits = spec.max_restarts, spec.max_seconds
        log_give_up(self.pid, child.spec, last_pid, child.reason, *limits)
        if spec.intensity == "supervisor":
            return Stop("shutdown")
        if spec.on_give_up is not None:
            self._call_on_give_up(spec.on_give_up, child, last_pid)
        return None

    def _call_on_give_up(self, on_give_up: OnGiveUp, child: RestartingChild, last_pid: Pid) -> None:
        try:
            result = on_give_up(child.spec, last_pid, child.reason)
        except BaseException as error:  # it must not end the supervisor and the other children
            log.exception("on_give_up of supervisor %r raised", self.pid)
            self._me.runtime.exit_program(error)
            return
        if inspect.iscoroutine(result):
            log.error("on_give_up must be a plain function, %r is async", on_give_up)
            result.close()

    def _wait(self, last_pid: Pid, child: RestartingChild, now: float, backoff: Backoff) -> None:
        assert child.history is not None  # noqa: S101 - `_restart` has created it
        crashes = child.history.crashed(now, backoff.reset_after)
        me = self._me
        child.timer = me.call_after(
            backoff.delay(crashes), lambda: me.system(RestartRequest(last_pid))
        )

    def _restart_again(self, last_pid: Pid) -> Any:
        """Restart a child after its back-off or failed start, unless it was stopped meanwhile."""
        child = self._restarting.get(last_pid)
        if child is None:
            return None
        if child.timer is not None:
            child.timer = None
            return self._start_again(last_pid, child)
        self._no_longer_restarting(last_pid)
        return self._restart(last_pid, child)  # a failed start counts as one more restart

    def _start_again(self, last_pid: Pid, child: RestartingChild) -> None:
        def done(pid: Pid | None, error: BaseException | None) -> Any:
            child.start = None
            if self._restarting.get(last_pid) is child:
                self._started_again(last_pid, child, pid, error)
            elif pid is not None:
                # Cancelled when the start function had already returned: stop the new child.
                self._children[pid] = child.spec
                return self._stop_child(pid)
            return None

        begun = self._start(child.spec, done)
        if isinstance(begun, FutureReply):
            child.start = begun.future

    def _started_again(
        self, last_pid: Pid, child: RestartingChild, pid: Pid | None, error: BaseException | None
    ) -> None:
        if pid is not None:
            self._no_longer_restarting(last_pid)
            self._restarted(last_pid, child, pid)
        elif isinstance(error, IgnoredError):
            self._no_longer_restarting(last_pid)
        elif error is not None:
            self._failed_again(last_pid, child, error)

    def _failed_again(self, last_pid: Pid, child: RestartingChild, error: BaseException) -> None:
        log_failed_restart(self.pid, child.spec, last_pid, error)
        child.reason = error.reason if isinstance(error, StartError) else error
        self._me.later(RestartRequest(last_pid))

    def _restarted(self, last_pid: Pid, child: RestartingChild, pid: Pid) -> None:
        if child.history is not None:
            child.history.started_at = self._now()
            self._histories[pid] = child.history
        self._adopt(pid, child.spec)
        log_restart(self.pid, child.spec, last_pid, pid, child.reason)

    # -- Requests of clients

    def _stop_child(self, pid: Pid) -> Fail | FutureReply | None:
        """Stop a child; the supervisor handles other messages meanwhile."""
        if pid in self._restarting:
            start = self._drop_restarting(pid)
            return None if start is None else FutureReply(start)
        spec = self._children.pop(pid, None)
        if spec is None:
            return Fail(not_found(pid, len(self._children)))
        self._histories.pop(pid, None)
        stopping = terminate_child(self.pid, pid, spec)
        step = eager.step(stopping, copy_context(), self._me.runtime.loop)
        if isinstance(step, eager.Outcome):
            step.result()
            return None
        self._terminations.add(step)
        step.add_done_callback(self._terminations.discard)
        return FutureReply(step)

    def _drop_restarting(self, last_pid: Pid) -> asyncio.Future[Any] | None:
        """Cancel a restart; return a future of the end of its pending start, if any."""
        child = self._no_longer_restarting(last_pid)
        if child.timer is not None:
            self._me.cancel_timer(child.timer)
        if child.start is not None:
            self._starts[child.start]()
        return child.start

    @checked_call(pid_of_child, timeout=None)
    def terminate_child(self, pid: Pid) -> None:
        """Stop a child, and return when it is dead.

        Args:
            pid: The pid of the child; of a child that is being restarted, the last one.

        Raises:
            NotFoundError: The supervisor has no such child.

        Source:
            ``DynamicSupervisor.terminate_child/2``.
        """
        return self._stop_child(pid)  # type: ignore[return-value] # Fail, FutureReply or None

    @call(timeout=None)
    def which_children(self) -> list[ChildInfo]:
        """Return the children, including those that are being restarted.

        Source:
            ``DynamicSupervisor.which_children/1``.
        """
        running = [
            ChildInfo(spec.id, pid, spec.type, "running") for pid, spec in self._children.items()
        ]
        return running + [
            ChildInfo(child.spec.id, None, child.spec.type, "restarting")
            for child in self._restarting.values()
        ]

    @call(timeout=None)
    def count_children(self) -> Counts:
        """Return the number of children, including those that are being restarted.

        Source:
            ``DynamicSupervisor.count_children/1``.
        """
        restarting = [child.spec for child in self._restarting.values()]
        types = [spec.type for spec in (*self._children.values(), *restarting)]
        supervisors = types.count("supervisor")
        return Counts(len(types), len(self._children), supervisors, len(types) - supervisors)


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _start_failure(error: BaseException | None) -> Fail:
    if isinstance(error, asyncio.CancelledError):
        return Fail(ExitError("shutdown"))
    return Fail(error if isinstance(error, StartError) else StartError(error))
