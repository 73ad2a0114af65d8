"""`ShardSupervisor`: a dynamic supervisor of one host, whose children are stored."""

from typing import Any

from beamish._server import handoff
from beamish._server.items import ChildExit
from beamish._server.methods import call
from beamish._server.requests import FutureReply
from beamish._strategy import restarts
from beamish._supervision.many import RestartRequest
from beamish._supervision.reports import log_failed_restart
from beamish._supervision.restarting import RestartingChild
from beamish.child_spec import ChildSpec
from beamish.cluster._host.departure import Departure
from beamish.cluster._node import members
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import IgnoredError, StartError
from beamish.pid import Name, Pid


class ShardSupervisor(DynamicSupervisor):
    """A dynamic supervisor that reports each child that it drops for good.

    Without the lease of its host, it restarts nothing: exits and restarts wait in its mailbox.
    """

    async def _terminate(self, reason: Any) -> None:
        """Stop all children; if the host leaves its shard, pass on what they hand over."""
        host = members.current().host
        assert host is not None  # noqa: S101 - only a host runs this supervisor
        if not host.is_leaving:
            await super()._terminate(reason)
            return
        departure = Departure(self._children.items())
        await super()._terminate(reason)
        host.handed_over(await departure.states())

    def _dropped(self, spec: ChildSpec, why: Any) -> None:
        """Report a child that has ended for good, or that was given up for ``why``."""
        host = members.current().host
        assert host is not None  # noqa: S101 - only a host runs this supervisor
        host.child_dropped(spec, why)

    # -- Requests of the host

    @call(timeout=None)
    def load(self, spec: ChildSpec, state: bytes | None) -> None:
        """Start a stored child. If that fails, it counts as a crash of the child.

        Args:
            spec: Its specification.
            state: What the last process of its name has handed over. Only this start gets it: a
                state with which ``init`` fails must not fail the restart too.
        """
        # The check: a server that starts others in its init would pass an unread state on to them.
        takes = spec.start.cls._beamish.takes_handoff  # type: ignore[attr-defined] # ServerStart
        with handoff.offered(state if takes else None):
            return self._load(spec)  # type: ignore[return-value] # or FutureReply

    def _load(self, spec: ChildSpec) -> FutureReply | None:
        def done(pid: Pid | None, error: BaseException | None) -> None:
            if pid is not None:
                self._adopt(pid, spec)
            elif isinstance(error, IgnoredError):
                self._dropped(spec, None)
            elif error is not None:
                self._failed_to_load(spec, error)

        return self._start(spec, done)  # type: ignore[no-any-return] # what done returns

    def _failed_to_load(self, spec: ChildSpec, error: BaseException) -> None:
        last_pid = Pid(self._me.runtime, None)
        log_failed_restart(self.pid, spec, last_pid, error)
        reason = error.reason if isinstance(error, StartError) else error
        self._restart(last_pid, RestartingChild(spec, None, reason))

    @call(timeout=None)
    def terminate_named(self, name: Name) -> None:
        """Stop the child that has this name and waits for its restart, if there is one."""
        for last_pid, child in self._restarting.items():
            if getattr(child.spec.start, "name", None) == name:
                return self._stop_child(last_pid)  # type: ignore[return-value] # or FutureReply
        return None

    # -- Children that are dropped for good

    def _child_exited(self, pid: Pid, reason: Any, reported: bool) -> Any:
        if not self._me.runtime.is_leased:
            self._me.later(ChildExit(pid, reason, reported))
            return None
        spec = self._children.get(pid)
        result = super()._child_exited(pid, reason, reported)
        if spec is not None and not restarts(spec.restart, reason):
            self._dropped(spec, None)
        return result

    def _restart_again(self, last_pid: Pid) -> Any:
        if not self._me.runtime.is_leased:
            self._me.later(RestartRequest(last_pid))
            return None
        return super()._restart_again(last_pid)

    def _give_up(self, last_pid: Pid, child: RestartingChild) -> Any:
        result = super()._give_up(last_pid, child)
        # Otherwise the supervisor ends, and with it the host: the next one starts the child too.
        if self._options.intensity == "child":
            self._dropped(child.spec, child.reason)
        return result

    def _started_again(
        self, last_pid: Pid, child: RestartingChild, pid: Pid | None, error: BaseException | None
    ) -> None:
        super()._started_again(last_pid, child, pid, error)
        if pid is None and isinstance(error, IgnoredError):
            self._dropped(child.spec, None)
