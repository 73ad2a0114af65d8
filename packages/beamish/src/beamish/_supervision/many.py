"""Supervisors of masses of children, each by itself: their starts, restarts and ends."""

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
from beamish._server.requests import Later
from beamish._server.start import ServerStart, Starting
from beamish._strategy import RestartWindow, restarts
from beamish._supervision.base import SupervisorBase
from beamish._supervision.ending import Ending, end_all
from beamish._supervision.errors import insignificance_error, not_found
from beamish._supervision.launch import as_start_error, launch, link_to, strays
from beamish._supervision.reports import log, log_exit, log_failed_restart, log_give_up, log_restart
from beamish._supervision.restarting import History, Restarting
from beamish._supervision.specs import pid_of_child, title_of
from beamish.child_spec import Backoff, ChildSpec
from beamish.errors import (
    ExitError,
    IgnoredError,
    MaxChildrenError,
    StartError,
)
from beamish.pid import Pid
from beamish.results import ChildInfo, Counts, Fail, Stop

Intensity: TypeAlias = Literal["supervisor", "child"]
OnStarted: TypeAlias = Callable[[Pid | None, BaseException | None], Any]
OnGiveUp: TypeAlias = Callable[[ChildSpec, Pid, Any], object]


@dataclass(frozen=True, slots=True)
class DynamicSupervisorSpec:
    """What `DynamicSupervisor.spec` returns: the options of a supervisor, checked."""

    max_restarts: int
    max_seconds: float
    max_children: int | None
    extra_arguments: tuple[Any, ...]
    backoff: Backoff | None
    intensity: Intensity
    on_give_up: OnGiveUp | None


class _Again:
    """A reminder of a supervisor to itself to restart a child."""

    def __init__(self, last_pid: Pid) -> None:
        self._last_pid = last_pid

    def run(self, process: Any) -> Any:
        return process.server._restart_again(self._last_pid)


class ManyChildren(SupervisorBase):
    """A supervisor of children that come and go, each by itself."""

    _spec_type: ClassVar[type[DynamicSupervisorSpec]] = DynamicSupervisorSpec

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: dict[Pid, ChildSpec] = {}
        self._restarting: dict[Pid, Restarting] = {}  # by the last pid
        # Starts whose init waits: how each is given up; the future is done when the start is.
        self._starts: dict[asyncio.Future[Any], Callable[[], object]] = {}
        self._new = 0  # how many of them are not restarts
        self._early: dict[Pid, tuple[Any, bool]] = {}  # exits of what may yet turn out a child
        self._endings: set[asyncio.Task[Any]] = set()  # of children that are being terminated
        self._histories: dict[Pid, History] = {}

    def _begin(self, spec: DynamicSupervisorSpec) -> None:
        self._options: DynamicSupervisorSpec = spec
        self._window: RestartWindow = self._new_window()

    def _new_window(self) -> RestartWindow:
        return RestartWindow(self._options.max_restarts, self._options.max_seconds)

    def _now(self) -> float:
        now: float = self._me.runtime.loop.time()
        return now

    async def _terminate(self, reason: Any) -> None:
        """Stop all children side by side, those included that are only about to start."""
        for last_pid in list(self._restarting):
            self._drop_restarting(last_pid)
        while self._children or self._starts or self._endings:
            for give_up in list(self._starts.values()):
                give_up()
            children, self._children = self._children, {}
            await end_all(self.pid, children.items())
            under_way = [*self._starts, *self._endings]
            if under_way:
                await asyncio.wait(under_way)
                await asyncio.sleep(0)  # what they call when they are done comes first
        await end_all(self.pid, strays(self.pid))

    # -- Starting

    def _add(self, spec: ChildSpec) -> Pid | Fail | Later:
        """Start a child; return its pid, or a refusal, or what becomes either."""
        if spec.significant:
            return Fail(insignificance_error(spec))
        limit = self._options.max_children
        if limit is not None and self._taken() >= limit:
            return Fail(MaxChildrenError(limit, title_of(spec)))

        def done(pid: Pid | None, error: BaseException | None) -> Pid | Fail:
            self._new -= 1
            if pid is None:
                return _refusal(error)
            self._adopt(pid, spec)
            return pid

        self._new += 1
        return self._start(spec, done)  # type: ignore[no-any-return] # what done returns, or Later

    def _taken(self) -> int:
        return len(self._children) + len(self._restarting) + self._new

    def _start(self, spec: ChildSpec, done: OnStarted) -> Any:
        """Begin to start a child; ``done(pid, error)`` is called as soon as that has ended.

        Returns:
            What ``done`` returned, or a `Later` of it.
        """
        extra, start, loop = self._options.extra_arguments, spec.start, self._me.runtime.loop
        if extra or not isinstance(start, ServerStart):
            step = eager.step(launch(spec, extra), copy_context(), loop)
            if isinstance(step, eager.Outcome):
                return done(step.value, step.error)
            return Later(self._when_task_ends(step, done))
        try:  # the same without a coroutine
            begun = start.begin_child(self.pid, spec.args, spec.kwargs)
        except BaseException as error:  # such as the name of an unknown registry
            self._me.runtime.exit_program(error)
            return done(None, as_start_error(error, spec))
        if isinstance(begun, Pid):
            return done(begun, None)
        return Later(self._when_started(begun, done))

    def _when_started(self, begun: Starting, done: OnStarted) -> asyncio.Future[Any]:
        process = begun.process
        future = self._future()
        self._starts[future] = lambda: process.give_up_start("killed")

        def ended(error: StartError | None) -> None:
            # In the same step in which its init has returned: nothing can come between.
            self._ended(future, done, process.pid if error is None else None, error)

        begun.tell(ended)
        return future

    def _when_task_ends(self, task: asyncio.Task[Any], done: OnStarted) -> asyncio.Future[Any]:
        future = self._future()
        self._starts[future] = task.cancel

        def ended(task: asyncio.Task[Any]) -> None:
            error = failure(task)
            self._ended(future, done, None if error else task.result(), error)

        task.add_done_callback(ended)
        return future

    def _future(self) -> asyncio.Future[Any]:
        loop: asyncio.AbstractEventLoop = self._me.runtime.loop
        return loop.create_future()

    def _ended(
        self,
        future: asyncio.Future[Any],
        done: OnStarted,
        pid: Pid | None,
        error: BaseException | None,
    ) -> None:
        del self._starts[future]
        result = done(pid, error) if self._me is not None else _refusal(error)
        if not self._starts:
            self._early.clear()
        if not future.done():
            future.set_result(result)

    def _adopt(self, pid: Pid, spec: ChildSpec) -> None:
        self._children[pid] = spec
        if pid._process is not None:
            link_to(self.pid, pid)
        else:  # it has died already, before it was known as a child
            self._me.later(ChildExit(pid, *self._early.pop(pid, ("noproc", False))))

    # -- Exits of children

    def _child_exited(self, pid: Pid, reason: Any, reported: bool) -> Any:
        """Restart the child, drop it, give it up, or give up altogether."""
        spec = self._children.pop(pid, None)
        if spec is None:  # not a child, one that was stopped meanwhile, or one that is not yet
            if self._starts:
                self._early[pid] = reason, reported
            return None
        log_exit(self.pid, spec, pid, reason, reported)
        history = self._histories.pop(pid, None) if self._histories else None
        if not restarts(spec.restart, reason):
            return None
        return self._restart(pid, Restarting(spec, history, reason))

    def _restart(self, last_pid: Pid, child: Restarting) -> Any:
        """Restart a child that has exited or failed to start, if that is not too often."""
        now = self._now()
        if child.history is None and (self._options.backoff or self._options.intensity == "child"):
            child.history = History(self._new_window())
        per_child = self._options.intensity == "child"
        window = child.history.window if per_child and child.history else self._window
        if not window.allow(now):
            return self._give_up(last_pid, child)
        self._restarting[last_pid] = child
        if self._options.backoff is None:
            self._start_again(last_pid, child)
        else:
            self._wait(last_pid, child, now, self._options.backoff)
        if last_pid in self._restarting:  # else it runs again already
            child.announce(last_pid, child.spec)
        return None

    def _no_longer_restarting(self, last_pid: Pid) -> Restarting:
        child = self._restarting.pop(last_pid)
        child.withdraw()
        return child

    def _dependents(self) -> list[Pid]:
        # When it has died: a supervisor that was killed restarts nobody.
        for child in self._restarting.values():
            child.withdraw()
        return []

    def _give_up(self, last_pid: Pid, child: Restarting) -> Any:
        spec = self._options
        limits = spec.max_restarts, spec.max_seconds
        log_give_up(self.pid, child.spec, last_pid, child.reason, *limits)
        if spec.intensity == "supervisor":
            return Stop("shutdown")
        if spec.on_give_up is not None:
            self._tell_give_up(spec.on_give_up, child, last_pid)
        return None

    def _tell_give_up(self, tell: OnGiveUp, child: Restarting, last_pid: Pid) -> None:
        try:
            told = tell(child.spec, last_pid, child.reason)
        except BaseException as error:  # the siblings must not suffer for it
            log.exception("on_give_up of supervisor %r raised", self.pid)
            self._me.runtime.exit_program(error)
            return
        if inspect.iscoroutine(told):
            log.error("on_give_up must be a plain function, %r is async", tell)
            told.close()

    def _wait(self, last_pid: Pid, child: Restarting, now: float, backoff: Backoff) -> None:
        assert child.history is not None  # noqa: S101 - with back-off each child has one
        crashes = child.history.crashed(now, backoff.reset_after)
        me = self._me
        child.timer = me.call_after(backoff.delay(crashes), lambda: me.system(_Again(last_pid)))

    def _restart_again(self, last_pid: Pid) -> Any:
        """Restart a child whose turn has come, unless it was stopped meanwhile."""
        child = self._restarting.get(last_pid)
        if child is None:
            return None
        if child.timer is not None:
            child.timer = None
            return self._start_again(last_pid, child)
        self._no_longer_restarting(last_pid)
        return self._restart(last_pid, child)  # its last start has failed, which counts

    def _start_again(self, last_pid: Pid, child: Restarting) -> None:
        def done(pid: Pid | None, error: BaseException | None) -> None:
            child.start = None
            if self._restarting.get(last_pid) is child:
                self._started_again(last_pid, child, pid, error)
            elif pid is not None:
                self._children[pid] = child.spec  # given up too late: it is up, and is to be ended

        begun = self._start(child.spec, done)
        if isinstance(begun, Later):
            child.start = begun.future

    def _started_again(
        self, last_pid: Pid, child: Restarting, pid: Pid | None, error: BaseException | None
    ) -> None:
        if pid is not None:
            self._no_longer_restarting(last_pid)
            self._restarted(last_pid, child, pid)
        elif isinstance(error, IgnoredError):
            self._no_longer_restarting(last_pid)
        elif error is not None:
            self._failed_again(last_pid, child, error)

    def _failed_again(self, last_pid: Pid, child: Restarting, error: BaseException) -> None:
        log_failed_restart(self.pid, child.spec, last_pid, error)
        child.reason = error.reason if isinstance(error, StartError) else error
        self._me.later(_Again(last_pid))

    def _restarted(self, last_pid: Pid, child: Restarting, pid: Pid) -> None:
        if child.history is not None:
            child.history.started_at = self._now()
            self._histories[pid] = child.history
        self._adopt(pid, child.spec)
        log_restart(self.pid, child.spec, last_pid, pid, child.reason)

    # -- What clients ask

    def _end(self, pid: Pid) -> Fail | Later | None:
        """Stop a child without holding up the others."""
        if pid in self._restarting:
            start = self._drop_restarting(pid)
            return None if start is None else Later(start)
        spec = self._children.pop(pid, None)
        if spec is None:
            return Fail(not_found(pid, len(self._children)))
        self._histories.pop(pid, None)
        ending = Ending(self.pid)
        ending.order(pid, spec)
        step = eager.step(ending.wait(), copy_context(), self._me.runtime.loop)
        if isinstance(step, eager.Outcome):
            return None
        self._endings.add(step)
        step.add_done_callback(self._endings.discard)
        return Later(step)

    def _drop_restarting(self, last_pid: Pid) -> asyncio.Future[Any] | None:
        """Give up a restart; return what to wait for until its process is gone."""
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
            pid: The child; if it is being restarted, its last pid.

        Raises:
            NotFoundError: The supervisor has no such child.

        Source:
            ``DynamicSupervisor.terminate_child/2``.
        """
        return self._end(pid)  # type: ignore[return-value] # it refuses, or waits, or returns None

    @call(timeout=None)
    def which_children(self) -> list[ChildInfo]:
        """List the children, those that are being restarted included.

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
        """Count the children, those that are being restarted included.

        Source:
            ``DynamicSupervisor.count_children/1``.
        """
        between = [child.spec for child in self._restarting.values()]
        types = [spec.type for spec in (*self._children.values(), *between)]
        supervisors = types.count("supervisor")
        return Counts(len(types), len(self._children), supervisors, len(types) - supervisors)


def _refusal(error: BaseException | None) -> Fail:
    if isinstance(error, asyncio.CancelledError):
        return Fail(ExitError("shutdown"))
    return Fail(error if isinstance(error, StartError) else StartError(error))
