"""What stands behind the pids of other members and takes the signals for them."""

from typing import Any

from beamish._diagnostics.system import StopRequest
from beamish._runtime import remote
from beamish._runtime.context import current_pid
from beamish._runtime.process import SystemRequest, Watcher
from beamish._runtime.runtime import Runtime
from beamish._server.remote_call import RemoteCall
from beamish._server.requests import PendingReply
from beamish.cluster._node.link import Link
from beamish.cluster._node.members import Member
from beamish.cluster._node.pids import ClusterPid
from beamish.pid import Dest, Pid


class _ClusterProcess(remote.RemoteAddressee):
    """The representative of a process of another member."""

    __slots__ = ("_member", "identity")

    def __init__(self, pid: ClusterPid, member: Member) -> None:
        super().__init__(pid)
        self._member = member
        self.identity = pid.identity

    @property
    def runtime(self) -> Runtime:
        """The runtime of this member."""
        return self._member.runtime

    def kind(self) -> str:
        """Return the class name as a metric label."""
        return "cluster"

    class_name = kind

    def cast_bare(self, request: Any) -> None:
        """Send a request for ``handle_cast``."""
        self.cast("handle_cast", (request,), None)

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Send a cast."""
        raise NotImplementedError

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Send an exit signal."""
        raise NotImplementedError

    def kill(self, reason: Any) -> None:
        """Send the exit signal that cannot be trapped."""
        self.signal(None, "kill" if reason == "killed" else reason)

    # -- Links stay within one member

    def add_link(self, pid: Pid) -> None:
        """Raise TypeError: a link is not possible."""
        if pid._process is not None:
            pid._process.remove_link(self.pid)
        raise TypeError(
            f"links do not cross the hosts of a cluster; monitor {self.pid!r} with process.monitor"
        )

    def remove_link(self, pid: Pid) -> None:
        """Do nothing: it is never linked."""

    def unlink(self, pid: Pid) -> None:
        """Do nothing: it is never linked."""

    def linked_exit(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Do nothing: it is never linked."""

    exit_from_link = linked_exit


class ShardProcess(_ClusterProcess):
    """The representative of a process on the host of a shard."""

    __slots__ = ("_link",)

    def __init__(self, pid: ClusterPid, member: Member, link: Link) -> None:
        super().__init__(pid, member)
        self._link = link

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> PendingReply:
        """Start a call."""
        call = ShardCall(self, dest)
        content = name, args, kwargs, call.pid
        call.number = self._link.put("call", self.identity, content, call.settle)
        return PendingReply(call)

    def call_ended(self, call: "ShardCall") -> None:
        """Drop a late reply; a call that was not sent is never sent."""
        self._link.forget(call.number)

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Send a cast."""
        self._link.put("cast", self.identity, (name, args, kwargs))

    def deliver(self, message: Any) -> None:
        """Send a message."""
        self._link.put("message", self.identity, message)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Send an exit signal."""
        self._link.put("exit", self.identity, (sender or current_pid.get(), reason))

    def system(self, request: SystemRequest) -> None:
        """Send the request to stop; no other request can be sent."""
        if not isinstance(request, StopRequest):
            raise TypeError(f"{self.pid!r} runs on another host, which debug cannot inspect")
        self._link.put("stop", self.identity, request.reason)

    def watch(self, watcher: Watcher) -> None:
        """Notify ``watcher`` once when the process has ended, or its host is lost."""
        self._link.watch(self.identity, self.pid, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher."""
        self._link.unwatch(self.identity, watcher)


class ShardCall(RemoteCall):
    """A call to a process on the host of a shard.

    Attributes:
        number: The number of its message.
    """

    __slots__ = ("number",)

    def __init__(self, process: ShardProcess, dest: Dest) -> None:
        super().__init__(process, dest)
        self.number = 0

    def settle(self, kind: str, value: Any) -> None:
        """End the call with the outcome that its host has sent."""
        match kind:
            case "reply":
                self.resolve(value)
            case "refused":
                self.refuse(value)
            case _:
                self.ended(value)


class ProgramProcess(_ClusterProcess):
    """The representative, on a host, of a process of a program that is connected to the host."""

    __slots__ = ()

    def _send(self, *payload: Any) -> None:
        host = self._member.host
        if host is not None and isinstance(self.identity.home, str):
            host.send_to_program(self.identity.home, (self.identity.serial, *payload))

    def deliver(self, message: Any) -> None:
        """Send a message."""
        self._send("message", message)

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Send a cast."""
        self._send("cast", (name, args, kwargs))

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Send an exit signal."""
        self._send("exit", (sender or current_pid.get(), reason))

    def _refuse(self, *_: Any) -> Any:
        raise TypeError(
            f"{self.pid!r} belongs to a program outside the hosts of the cluster: it takes "
            "messages, casts and exit signals only"
        )

    request = _refuse
    call_ended = _refuse
    system = _refuse
    watch = _refuse

    def unwatch(self, watcher: Watcher) -> None:
        """Do nothing: nobody watches it."""
