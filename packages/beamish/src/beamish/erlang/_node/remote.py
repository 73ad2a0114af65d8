"""Processes of other nodes: their pids, and what takes the signals to them."""

from typing import Any, Protocol

from beamish._diagnostics.system import StopRequest
from beamish._runtime import remote
from beamish._runtime.context import current_pid
from beamish._runtime.process import SystemRequest, Watcher
from beamish._runtime.runtime import Runtime
from beamish._server import remote_call
from beamish._server.requests import PendingReply
from beamish.erlang.terms import Atom, ProcessIdentity
from beamish.pid import Dest, Pid


class PeerTable(Protocol):
    """The part of `NodeTable` that is needed here, which imports this module.

    Attributes:
        runtime: The runtime of the node.
        peers: The connected nodes: each `Peer` by its name.
    """

    runtime: Runtime
    peers: dict[str, Any]


class RemotePid(remote.RemotePid):
    """The pid of a process of another node, or the name of one there.

    A node has at most one object for each, so that ``is`` works as for local pids.
    """

    __slots__ = ("_table", "identity")

    def __init__(
        self,
        runtime: Runtime,
        table: PeerTable | None,
        identity: ProcessIdentity | tuple[Atom, Atom],
    ) -> None:
        self._table = table
        self.identity: ProcessIdentity | tuple[Atom, Atom] = identity
        super().__init__(runtime, None)

    def _representative(self) -> "RemoteProcess | None":
        return None if self._table is None else RemoteProcess(self, self._table)

    @property
    def node(self) -> str:
        """The name of the node."""
        return (
            self.identity.node if isinstance(self.identity, ProcessIdentity) else self.identity[1]
        )

    def __repr__(self) -> str:
        if isinstance(self.identity, ProcessIdentity):
            node, number, serial, _ = self.identity
            return f"#PID<{node}.{number}.{serial}>"
        name, node = self.identity
        return f"{{{name}, {node}}}"


class RemoteCall(remote_call.RemoteCall):
    """A call of this program to a process of another node.

    Attributes:
        ref: Its reference; ``None`` until it is sent.
        sender: The pid that the other node sees as the caller.
    """

    __slots__ = ("ref", "sender")

    def __init__(self, process: "RemoteProcess", dest: Dest) -> None:
        super().__init__(process, dest)
        self.ref: Any = None
        self.sender: Pid | None = self.pid


class RemoteProcess(remote.RemoteAddressee):
    """Sends the signals for a pid of another node; without a connection, they are lost.

    Calls, monitors and links without a connection end at once with the reason ``"noconnection"``.
    """

    __slots__ = ("_table",)

    def __init__(self, pid: RemotePid, table: PeerTable) -> None:
        super().__init__(pid)
        self._table = table

    @property
    def runtime(self) -> Runtime:
        """The runtime of the node."""
        return self._table.runtime

    @property
    def _is_name(self) -> bool:
        return not isinstance(self.pid.identity, ProcessIdentity)  # type: ignore[attr-defined]

    def _needs_pid(self, signal: str) -> TypeError:
        return TypeError(
            f"{signal} needs a pid, because a name of another node is resolved there; got the "
            f"name {self.pid!r}: ask its process for its pid"
        )

    @property
    def _peer(self) -> Any:
        return self._table.peers.get(self.pid.node)  # type: ignore[attr-defined] # a RemotePid

    # -- Calls, casts and messages

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> PendingReply:
        """Start a call; a ``@call`` method becomes ``{name, Argument, ...}``."""
        request = _term(name, args, kwargs)
        call = RemoteCall(self, dest)
        peer = self._peer
        if peer is None:
            call.fail("noconnection")
        else:
            peer.call(self.pid, call, request)
        return PendingReply(call)

    def call_ended(self, call: RemoteCall) -> None:
        """Stop monitoring the called process; a late reply is dropped."""
        peer = self._peer
        if peer is not None:
            peer.end_call(self.pid, call)

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
        """Send a cast; a ``@cast`` method becomes ``{name, Argument, ...}``."""
        self.cast_bare(_term(name, args, kwargs))

    def cast_bare(self, request: Any) -> None:
        """Send a request for ``handle_cast``."""
        self.deliver((Atom("$gen_cast"), request))

    def deliver(self, message: Any) -> None:
        """Send a message."""
        peer = self._peer
        if peer is not None:
            peer.deliver(self.pid, message)

    def system(self, request: SystemRequest) -> None:
        """Send the request to stop; no other request can be sent."""
        if not isinstance(request, StopRequest):
            raise TypeError(f"{self.pid!r} lives on another node, which debug cannot look into")
        peer = self._peer
        if peer is not None:
            peer.stop(self.pid, request.reason)

    # -- Monitors, links and exit signals

    def watch(self, watcher: Watcher) -> None:
        """Notify ``watcher`` when the process has ended or the connection is lost."""
        peer = self._peer
        if peer is None:
            watcher.died(self.pid, "noconnection")
        else:
            peer.watch(self.pid, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher."""
        peer = self._peer
        if peer is not None:
            peer.unwatch(self.pid, watcher)

    def add_link(self, pid: Pid) -> None:
        """Link the process with ``pid``."""
        if self._is_name and pid._process is not None:
            pid._process.remove_link(self.pid)
            raise self._needs_pid("a link")
        peer = self._peer
        if peer is not None:
            peer.link(pid, self.pid)
        elif pid._process is not None:
            pid._process.linked_exit(self.pid, "noconnection", False)

    def remove_link(self, pid: Pid) -> None:
        """Remove the link with ``pid``."""
        peer = self._peer
        if peer is not None:
            peer.unlink(pid, self.pid)

    def unlink(self, pid: Pid) -> None:
        """Remove the link with ``pid``, of both."""
        if pid._process is not None:
            pid._process.unlink(self.pid)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Send an exit signal."""
        if self._is_name:
            raise self._needs_pid("an exit signal")
        peer = self._peer
        if peer is not None:
            peer.exit(sender or current_pid.get(), self.pid, reason)

    def kill(self, reason: Any) -> None:
        """Send the exit signal that cannot be trapped."""
        self.signal(None, "kill" if reason == "killed" else reason)

    def linked_exit(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Send the exit signal of a linked process that has ended."""
        peer = self._peer
        if peer is not None:
            peer.linked_exit(sender, self.pid, reason)

    exit_from_link = linked_exit

    def kind(self) -> str:
        """Return the class name as a metric label."""
        return "erlang"

    class_name = kind


def _term(name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    if kwargs:
        raise TypeError(
            f"{name}: keyword arguments have no form in Erlang; got {', '.join(kwargs)}"
        )
    if name in ("handle_call", "handle_cast"):
        return args[0]
    return (Atom(name), *args)
