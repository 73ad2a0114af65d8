"""`OrderedChildren`: starts, restarts and stops an ordered list of children."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from beamish._server.items import ChildExit
from beamish._server.methods import call
from beamish._strategy import (
    AutoShutdown,
    RestartWindow,
    Strategy,
    affected,
    restarts,
)
from beamish._supervision.base import SupervisorBase
from beamish._supervision.errors import failed_to_start, not_found, significance_error
from beamish._supervision.launch import launch, link_to, strays
from beamish._supervision.reports import log, log_exit, log_failed_restart, log_give_up, log_restart
from beamish._supervision.restarting import PendingRestart
from beamish._supervision.specs import title_of
from beamish._supervision.termination import terminate_child, terminate_children
from beamish.child_spec import ChildSpec
from beamish.errors import (
    AlreadyPresentError,
    AlreadyStartedError,
    IgnoredError,
    StartError,
)
from beamish.pid import Pid
from beamish.results import ChildInfo, Counts, Fail, Stop


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """The checked children and options of a supervisor, the result of `Supervisor.spec`."""

    children: tuple[ChildSpec, ...]
    strategy: Strategy
    max_restarts: int
    max_seconds: float
    auto_shutdown: AutoShutdown


class _Child:
    """One child of a static supervisor."""

    __slots__ = ("_pending_restart", "last_pid", "pid", "spec")

    def __init__(self, spec: ChildSpec) -> None:
        self.spec: ChildSpec = spec
        self.pid: Pid | None = None  # None while it does not run
        self.last_pid: Pid | None = None  # identifies a child that is being restarted
        self._pending_restart: PendingRestart | None = None

    @property
    def restarting(self) -> bool:
        """Whether it is being restarted."""
        return self._pending_restart is not None

    def already_started(self) -> AlreadyStartedError:
        """Return the error that it runs, or is being restarted."""
        assert self.last_pid is not None  # noqa: S101 - the child has run
        return AlreadyStartedError(self.last_pid, title_of(self.spec))

    def restart_begins(self) -> None:
        """Mark the child as restarting; callers of its last pid or name get that as the error."""
        self.restart_ends()
        self._pending_restart = PendingRestart()
        if self.last_pid is not None:
            self._pending_restart.announce(self.last_pid, self.spec)

    def restart_ends(self) -> None:
        """Mark the child as running or stopped."""
        if self._pending_restart is not None:
            self._pending_restart.withdraw()
            self._pending_restart = None

    @property
    def stopped(self) -> bool:
        """Whether it neither runs nor is being restarted."""
        return self.pid is None and not self.restarting

    def info(self) -> ChildInfo:
        status = "restarting" if self.restarting else "stopped" if self.pid is None else "running"
        return ChildInfo(self.spec.id, self.pid, self.spec.type, status)


class _Retry:
    """A request of a supervisor to itself to repeat a failed restart."""

    def __init__(self, child: _Child) -> None:
        self._child = child

    def run(self, process: Any) -> Any:
        return process.server._retry(self._child)


class OrderedChildren(SupervisorBase):
    """A supervisor of an ordered list of children."""

    _spec_type: ClassVar[type[SupervisorSpec]] = SupervisorSpec

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: dict[Any, _Child] = {}  # in start order
        self._by_pid: dict[Pid, _Child] = {}

    async def _begin(self, spec: SupervisorSpec) -> Any:
        """Start the children in order; if one fails, stop those before it."""
        self._options: SupervisorSpec = spec
        self._window: RestartWindow = RestartWindow(spec.max_restarts, spec.max_seconds)
        for child_spec in spec.children:
            child = self._children[child_spec.id] = _Child(child_spec)
            try:
                await self._start(child)
            except StartError as error:
                await self._stop_all()
                return Stop(failed_to_start(child_spec, error))
            except asyncio.CancelledError:  # killed during its start: stop the started children
                await self._stop_all()
                raise
        return None

    async def _terminate(self, reason: Any) -> None:
        """Stop the children in reverse order."""
        await self._stop_all()

    # -- Starting and stopping

    async def _start(self, child: _Child) -> None:
        """Start one child; one that ignores its start stays without a process."""
        try:
            pid = await launch(child.spec)
        except IgnoredError:
            child.pid = None
            if child.spec.restart == "temporary":
                del self._children[child.spec.id]
            return
        finally:
            child.restart_ends()
        child.pid = child.last_pid = pid
        self._by_pid[pid] = child
        if pid._process is not None:
            link_to(self.pid, pid)
        else:  # it has died already
            self._me.later(ChildExit(pid, "noproc", reported=False))

    async def _stop(self, child: _Child) -> None:
        pid, child.pid = child.pid, None
        child.restart_ends()
        if pid is not None:
            self._by_pid.pop(pid, None)
            await terminate_child(self.pid, pid, child.spec)

    async def _stop_all(self) -> None:
        for child in reversed(list(self._children.values())):
            await self._stop(child)
        await terminate_children(self.pid, strays(self.pid))

    def _forget(self, child: _Child) -> None:
        self._children.pop(child.spec.id, None)

    # -- Exits of children

    async def _child_exited(self, pid: Pid, reason: Any, reported: bool) -> Any:
        """Restart the children that the strategy selects; give up if that is too often."""
        child = self._by_pid.pop(pid, None)
        if child is None:
            return None  # not a child, or stopped meanwhile
        log_exit(self.pid, child.spec, pid, reason, reported)
        if not restarts(child.spec.restart, reason):
            return self._gone(child)
        child.pid = None
        child.restart_begins()
        return await self._restart(child, reason)

    def _gone(self, child: _Child) -> Any:
        child.pid = None
        if child.spec.restart == "temporary":
            self._forget(child)
        if child.spec.significant and self._shuts_down():
            log.info("supervisor %r shuts down: %s has exited", self.pid, title_of(child.spec))
            return Stop("shutdown")
        return None

    def _shuts_down(self) -> bool:
        if self._options.auto_shutdown == "any_significant":
            return True
        left = [c for c in self._children.values() if c.spec.significant and not c.stopped]
        return self._options.auto_shutdown == "all_significant" and not left

    async def _restart(self, child: _Child, reason: Any) -> Any:
        now = self._me.runtime.loop.time()
        if not self._window.allow(now):
            limits = self._options.max_restarts, self._options.max_seconds
            log_give_up(self.pid, child.spec, child.last_pid, reason, *limits)
            return Stop("shutdown")
        group = affected(self._options.strategy, self._children.values(), child)
        await self._stop_group(group, child)
        await self._start_group(group, child, reason)
        return None

    async def _stop_group(self, group: Sequence[_Child], failed: _Child) -> None:
        for child in reversed(group):
            if child is not failed:
                await self._stop(child)
                if child.spec.restart == "temporary":
                    self._forget(child)

    async def _start_group(self, group: Sequence[_Child], failed: _Child, reason: Any) -> None:
        last = failed.last_pid
        assert last is not None  # noqa: S101 - the failed child has run
        for child in group:
            if child.spec.id not in self._children:
                continue  # temporary, and stopped with the others
            try:
                await self._start(child)
            except StartError as error:
                child.restart_begins()
                log_failed_restart(self.pid, child.spec, child.last_pid or last, error)
                self._me.later(_Retry(child))
                return
            if child is failed and child.pid is not None:
                log_restart(self.pid, child.spec, last, child.pid, reason)

    async def _retry(self, child: _Child) -> Any:
        """Repeat a failed restart, unless the child was stopped meanwhile."""
        if not child.restarting or self._children.get(child.spec.id) is not child:
            return None
        return await self._restart(child, "restart_failed")

    def _dependents(self) -> list[Pid]:
        # Called at the supervisor's exit: no child is restarting any longer.
        for child in self._children.values():
            child.restart_ends()
        return []

    # -- Requests of clients

    async def _add(self, spec: ChildSpec) -> Pid | Fail:
        known = self._children.get(spec.id)
        if known is not None:
            return Fail(AlreadyPresentError(spec.id) if known.stopped else known.already_started())
        if spec.significant and self._options.auto_shutdown == "never":
            return Fail(significance_error(spec))
        child = self._children[spec.id] = _Child(spec)
        return await self._start_and_tell(child, keep=False)

    async def _start_again(self, id: Any) -> Pid | Fail:  # noqa: A002 - the field of ChildSpec
        child = self._children.get(id)
        if child is None:
            return Fail(not_found(id, len(self._children)))
        if not child.stopped:
            return Fail(child.already_started())
        return await self._start_and_tell(child, keep=True)

    async def _start_and_tell(self, child: _Child, *, keep: bool) -> Pid | Fail:
        try:
            await self._start(child)
        except StartError as error:
            if not keep:
                self._forget(child)
            return Fail(error)
        return Fail(IgnoredError(title_of(child.spec))) if child.pid is None else child.pid

    async def _stop_child(self, id: Any) -> Fail | None:  # noqa: A002
        child = self._children.get(id) or self._restarting_with(id)
        if child is None:
            return Fail(not_found(id, len(self._children)))
        await self._stop(child)
        if child.spec.restart == "temporary":
            self._forget(child)
        return None

    def _restarting_with(self, pid: Any) -> _Child | None:
        return next(
            (c for c in self._children.values() if c.restarting and c.last_pid is pid), None
        )

    def _delete(self, id: Any) -> Fail | None:  # noqa: A002
        child = self._children.get(id)
        if child is None:
            return Fail(not_found(id, len(self._children)))
        if not child.stopped:
            return Fail(child.already_started())
        self._forget(child)
        return None

    @call(timeout=None)
    def which_children(self) -> list[ChildInfo]:
        """Return the children in start order, including those that are being restarted.

        Source:
            ``Supervisor.which_children/1``.
        """
        return [child.info() for child in self._children.values()]

    @call(timeout=None)
    def count_children(self) -> Counts:
        """Return the number of children, including those that are being restarted.

        Source:
            ``Supervisor.count_children/1``.
        """
        specs = [child.spec for child in self._children.values()]
        supervisors = sum(spec.type == "supervisor" for spec in specs)
        active = sum(child.pid is not None for child in self._children.values())
        return Counts(len(specs), active, supervisors, len(specs) - supervisors)
