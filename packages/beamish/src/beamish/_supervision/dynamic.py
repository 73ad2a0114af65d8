"""The process of a `DynamicSupervisor`: masses of children, each by itself."""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from beamish._children import (
    Ending,
    Refused,
    end_all,
    launch,
    link_to,
    log,
    log_exit,
    log_failed_restart,
    log_give_up,
    log_restart,
    options_of,
)
from beamish._runtime import eager
from beamish._runtime.timers import Timer
from beamish._server.start import ServerStart
from beamish._strategy import RestartWindow, restarts
from beamish.child_spec import Backoff, ChildSpec
from beamish.errors import (
    IgnoredError,
    MaxChildrenError,
    NotFoundError,
    StartError,
)
from beamish.gen_server import GenServer, call
from beamish.messages import Exit
from beamish.pid import Pid
from beamish.results import IGNORE, ChildInfo, Counts, Stop

Intensity: TypeAlias = Literal["supervisor", "child"]
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


class _History:
    """What a supervisor remembers of a child that has crashed before."""

    __slots__ = ("crashes", "started_at", "window")

    def __init__(self, window: RestartWindow, now: float) -> None:
        self.window = window
        self.crashes = 0  # in a row
        self.started_at = now

    def crashed(self, now: float, reset_after: float) -> int:
        """Count a crash; a child that had run for long starts to count anew."""
        ran_for_long = now - self.started_at >= reset_after
        self.crashes = 1 if ran_for_long else self.crashes + 1
        self.started_at = now
        return self.crashes


class _Restarting:
    """A child between two processes."""

    __slots__ = ("history", "reason", "spec", "task", "timer")

    def __init__(self, spec: ChildSpec, history: _History | None, reason: Any) -> None:
        self.spec = spec
        self.history = history
        self.reason = reason
        self.timer: Timer | None = None  # until its back-off is over
        self.task: asyncio.Task[Any] | None = None  # while its init waits


class _Again:
    """A reminder of a supervisor to itself to restart a child."""

    def __init__(self, last_pid: Pid) -> None:
        self._last_pid = last_pid

    def run(self, process: Any) -> Any:
        return process.server.restart_again(self._last_pid)


class DynamicSupervisorServer(GenServer, trap_exit=True):
    """The process of a dynamic supervisor."""

    _beamish_eager: ClassVar[bool] = True
    _beamish_name: ClassVar[str] = "DynamicSupervisor"

    def __init__(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._owner, self._arguments = owner, (args, kwargs)
        self.children: dict[Pid, ChildSpec] = {}
        self.restarting: dict[Pid, _Restarting] = {}  # by the last pid
        self._starts: dict[asyncio.Task[Any], ChildSpec] = {}  # whose init waits
        self._endings: set[asyncio.Task[Any]] = set()  # of children that are being terminated
        self._histories: dict[Pid, _History] = {}

    async def init(self) -> Any:
        """Get the options."""
        spec = await options_of(self._owner, self._arguments, DynamicSupervisorSpec)
        if spec is IGNORE:
            return IGNORE
        self.spec: DynamicSupervisorSpec = spec
        self._window = self._new_window()
        return None

    def _new_window(self) -> RestartWindow:
        return RestartWindow(self.spec.max_restarts, self.spec.max_seconds)

    @property
    def _me(self) -> Any:
        return self.pid._process

    def _now(self) -> float:
        now: float = self._me.runtime.loop.time()
        return now

    async def terminate(self, reason: Any) -> None:
        """Stop all children side by side."""
        under_way: list[asyncio.Task[Any]] = [*self._starts, *self._endings]
        for start in self._starts:
            start.cancel()
        for last_pid in list(self.restarting):
            restart = self._drop_restarting(last_pid)
            under_way += [] if restart is None else [restart]
        children, self.children = self.children, {}
        await end_all(self.pid, children.items())
        if under_way:
            await asyncio.wait(under_way)

    # -- Starting

    @call(timeout=None)
    def start_child(self, spec: ChildSpec) -> Any:
        """Start a child; return its pid, the task that starts it, or a refusal."""
        limit = self.spec.max_children
        if limit is not None and self._taken() >= limit:
            return Refused(MaxChildrenError(limit, f"child {spec.id!r}"))
        step = self._launch(spec)
        if not isinstance(step, eager.Outcome):
            self._starts[step] = spec
            step.add_done_callback(self._start_ended)
            return step
        if step.error is not None:
            return _refusal(step.error)
        self._adopt(step.value, spec)
        return step.value

    def _taken(self) -> int:
        return len(self.children) + len(self.restarting) + len(self._starts)

    def _launch(self, spec: ChildSpec) -> "eager.Outcome | asyncio.Task[Any]":
        """Begin to start a child; give its outcome, or the task that waits for it."""
        extra, start, loop = self.spec.extra_arguments, spec.start, self._me.runtime.loop
        if extra or not isinstance(start, ServerStart):
            return eager.step(launch(spec, extra), copy_context(), loop)
        try:  # the same without a coroutine
            begun = start.begin_child(self.pid, spec.args, spec.kwargs)
        except StartError as error:
            return eager.Outcome(error=error)
        except Exception as error:  # such as the name of an unknown registry
            return eager.Outcome(error=StartError(error, f"child {spec.id!r}"))
        if isinstance(begun, Pid):
            return eager.Outcome(begun)
        return asyncio.Task(begun.wait(), loop=loop)

    def _adopt(self, pid: Pid, spec: ChildSpec) -> None:
        if pid._process is None:
            # It has died already, before it could be linked.
            self._me.system(_ChildDied(pid, spec))
        else:
            link_to(self.pid, pid)
        self.children[pid] = spec

    def _start_ended(self, task: asyncio.Task[Any]) -> None:
        spec = self._starts.pop(task)
        if not task.cancelled() and task.exception() is None:
            self._adopt_late(task.result(), spec)

    def _adopt_late(self, pid: Pid, spec: ChildSpec) -> None:
        if self._me is not None and self._me.phase == "running":
            self._adopt(pid, spec)

    # -- Exits of children

    def child_exited(self, pid: Pid, reason: Any, reported: bool) -> Any:
        """Restart the child, drop it, give it up, or give up altogether."""
        spec = self.children.pop(pid, None)
        if spec is None:
            return None  # not a child, or one that was stopped meanwhile
        log_exit(self.pid, spec, pid, reason, reported)
        history = self._histories.pop(pid, None) if self._histories else None
        if not restarts(spec.restart, reason):
            return None
        return self._restart(pid, _Restarting(spec, history, reason))

    def _restart(self, last_pid: Pid, child: _Restarting) -> Any:
        """Restart a child that has exited or failed to start, if that is not too often."""
        now = self._now()
        if child.history is None and (self.spec.backoff or self.spec.intensity == "child"):
            child.history = _History(self._new_window(), now)
        per_child = self.spec.intensity == "child"
        window = child.history.window if per_child and child.history else self._window
        if not window.allow(now):
            return self._give_up(last_pid, child)
        self.restarting[last_pid] = child
        if self.spec.backoff is None:
            self._start_again(last_pid, child)
        else:
            self._wait(last_pid, child, now, self.spec.backoff)
        return None

    def _give_up(self, last_pid: Pid, child: _Restarting) -> Any:
        spec = self.spec
        limits = spec.max_restarts, spec.max_seconds
        log_give_up(self.pid, child.spec, last_pid, child.reason, *limits)
        if spec.intensity == "supervisor":
            return Stop("shutdown")
        if spec.on_give_up is not None:
            self._tell_give_up(spec.on_give_up, child, last_pid)
        return None

    def _tell_give_up(self, tell: OnGiveUp, child: _Restarting, last_pid: Pid) -> None:
        try:
            told = tell(child.spec, last_pid, child.reason)
        except Exception:  # the siblings must not suffer for it
            log.exception("on_give_up of supervisor %r raised", self.pid)
            return
        if inspect.iscoroutine(told):
            log.error("on_give_up must be a plain function, %r is async", tell)
            told.close()

    def _wait(self, last_pid: Pid, child: _Restarting, now: float, backoff: Backoff) -> None:
        assert child.history is not None  # noqa: S101 - with back-off each child has one
        crashes = child.history.crashed(now, backoff.reset_after)
        me = self._me
        child.timer = me.runtime.timers.after(
            backoff.delay(crashes), lambda: me.system(_Again(last_pid))
        )

    def restart_again(self, last_pid: Pid) -> Any:
        """Restart a child whose turn has come, unless it was stopped meanwhile."""
        child = self.restarting.get(last_pid)
        if child is None:
            return None
        if child.timer is not None:
            child.timer = None
            return self._start_again(last_pid, child)
        del self.restarting[last_pid]
        return self._restart(last_pid, child)  # its last start has failed, which counts

    def _start_again(self, last_pid: Pid, child: _Restarting) -> None:
        step = self._launch(child.spec)
        if isinstance(step, eager.Outcome):
            self._started_again(last_pid, child, step.value, step.error)
            return
        child.task = step
        step.add_done_callback(lambda task: self._start_again_ended(last_pid, child, task))

    def _start_again_ended(
        self, last_pid: Pid, child: _Restarting, task: asyncio.Task[Any]
    ) -> None:
        if task.cancelled() or self.restarting.get(last_pid) is not child:
            return  # stopped meanwhile, with its half-started process
        child.task = None
        error = task.exception()
        self._started_again(last_pid, child, None if error else task.result(), error)

    def _started_again(
        self, last_pid: Pid, child: _Restarting, pid: Pid | None, error: BaseException | None
    ) -> None:
        if isinstance(error, IgnoredError):
            del self.restarting[last_pid]
        elif error is not None:
            self._failed_again(last_pid, child, error)
        elif pid is not None:
            del self.restarting[last_pid]
            self._restarted(last_pid, child, pid)

    def _failed_again(self, last_pid: Pid, child: _Restarting, error: BaseException) -> None:
        log_failed_restart(self.pid, child.spec, last_pid, error)
        child.reason = error.reason if isinstance(error, StartError) else error
        self._me.later(_Again(last_pid))

    def _restarted(self, last_pid: Pid, child: _Restarting, pid: Pid) -> None:
        if child.history is not None:
            child.history.started_at = self._now()
            self._histories[pid] = child.history
        self._adopt(pid, child.spec)
        log_restart(self.pid, child.spec, last_pid, pid, child.reason)

    # -- What clients ask

    @call(timeout=None)
    def terminate_child(self, pid: Pid) -> Any:
        """Stop a child without holding up the others; return what to wait for, if anything."""
        if pid in self.restarting:
            return self._drop_restarting(pid)
        spec = self.children.pop(pid, None)
        if spec is None:
            return Refused(
                NotFoundError(f"no child {pid!r} among the {len(self.children)} children")
            )
        self._histories.pop(pid, None)
        ending = Ending(self.pid)
        ending.order(pid, spec)
        step = eager.step(ending.wait(), copy_context(), self._me.runtime.loop)
        if isinstance(step, eager.Outcome):
            return None
        self._endings.add(step)
        step.add_done_callback(self._endings.discard)
        return step

    def _drop_restarting(self, last_pid: Pid) -> asyncio.Task[Any] | None:
        """Give up a restart; return what to wait for until its process is gone."""
        child = self.restarting.pop(last_pid)
        if child.timer is not None:
            self._me.runtime.timers.cancel(child.timer)
        if child.task is not None:
            child.task.cancel()
        return child.task

    @call(timeout=None)
    def which_children(self) -> list[ChildInfo]:
        """List the children, those between two processes included."""
        running = [
            ChildInfo(spec.id, pid, spec.type, "running") for pid, spec in self.children.items()
        ]
        return running + [
            ChildInfo(child.spec.id, None, child.spec.type, "restarting")
            for child in self.restarting.values()
        ]

    @call(timeout=None)
    def count_children(self) -> Counts:
        """Count the children, those between two processes included."""
        between = [child.spec for child in self.restarting.values()]
        types = [spec.type for spec in (*self.children.values(), *between)]
        supervisors = types.count("supervisor")
        return Counts(len(types), len(self.children), supervisors, len(types) - supervisors)

    def handle_info(self, message: object) -> None:
        """Log what does not belong here."""
        if not isinstance(message, Exit):
            log.error("supervisor %r got the unexpected message %r", self.pid, message)


class _ChildDied:
    """The exit of a child that was dead before it could be linked."""

    def __init__(self, pid: Pid, spec: ChildSpec) -> None:
        self._pid = pid
        self._spec = spec

    def run(self, process: Any) -> Any:
        return process.server.child_exited(self._pid, "noproc", reported=False)


def _refusal(error: BaseException) -> Refused:
    if not isinstance(error, StartError):
        raise error
    return Refused(error)
