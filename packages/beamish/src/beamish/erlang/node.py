"""`ErlangNode`: a beamish program as a hidden node of a real Erlang cluster.

Processes of both sides call, monitor, link and stop each other. Nothing of the program is
reachable except the names in ``exposed``, the functions in ``functions``, and the pids that it
sends to other nodes itself.

When not to use it: between Python programs, or across networks that you do not trust. A node that
knows the cookie can run any code on the Erlang nodes of the cluster.

Source:
    Erlang's ``net_kernel``, and the distribution protocol of the Erlang Run-Time System.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from beamish import process
from beamish._runtime.names import pid_of
from beamish._runtime.runtime import running
from beamish._server.clients import CALL_TIMEOUT
from beamish.erlang._node.connection import Connection
from beamish.erlang._node.functions import Function, Functions
from beamish.erlang._node.inbound import RESERVED_NAMES
from beamish.erlang._node.listener import Address, Listener, port_of
from beamish.erlang._node.socket import Socket
from beamish.erlang._node.table import NodeTable
from beamish.erlang._wire.cookie import Cookie
from beamish.erlang._wire.handshake import (
    Acceptor,
    BothConnectError,
    Handshake,
    Initiator,
    Node,
    Status,
    is_node_name,
)
from beamish.erlang.errors import ErlangConnectionError, RpcError
from beamish.erlang.structs import Structs
from beamish.erlang.terms import Atom
from beamish.gen_server import From, GenServer, call
from beamish.messages import Exit
from beamish.pid import Dest, Pid, Via, checked_via
from beamish.results import Fail, NoReply, Stop

_log = logging.getLogger("beamish")

EPMD_ADDRESS: Address = ("127.0.0.1", 4369)
MAX_MESSAGE_BYTES = 16 * 2**20
"""Default maximum size of a message from another node."""
CONNECT_SECONDS = 10.0
"""Default timeout of `ErlangNode.connect`."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Encrypted distribution, as Erlang's ``-proto_dist inet_tls``.

    Args:
        server: For accepted connections; require certificates in it (``verify_mode``).
        client: For connections that this node makes.

    Source:
        Erlang's "Using TLS for Erlang Distribution".
    """

    server: SSLContext
    client: SSLContext


@dataclass(frozen=True, slots=True)
class _Accepted:
    socket: Socket


class ErlangNode(GenServer, trap_exit=True):
    """The program's node; put its ``child_spec`` into a supervisor, with a ``name``.

    Args:
        node: Full name, such as ``"py@127.0.0.1"``. Elixir nodes need long names, too (``--name``).
        cookie: The secret of the cluster.
        exposed: Names of local processes that other nodes can reach, or a mapping of such names to
            destinations. Default: none.
        functions: Maps ``"module.function"`` to functions, sync or async, that other nodes can call
            with ``rpc`` and ``erpc``. Default: none.
        structs: Maps names of Elixir structs, such as ``"Shop.Order"``, to dataclasses.
        text: Whether binaries that are valid UTF-8 arrive as ``str``. Default: ``bytes``, because
            the type would otherwise depend on the content.
        listen: Address to accept connections at; port 0 takes a free one. Default: this machine
            only. ``None`` accepts none.
        epmd: Address of the daemon that tells other nodes the port; also looked up at its port for
            `connect`. ``None`` registers nowhere.
        addresses: Addresses of nodes that `connect` does not look up with epmd.
        max_message_bytes: Maximum size of a message from another node; a larger one ends the
            connection. Decoded, a message can take 64 times as much memory.
        tls: Encrypts all connections. Default: none are.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        node: str,
        *,
        cookie: Cookie,
        exposed: Iterable[str] | Mapping[str, Dest] = (),
        functions: Mapping[str, Function] | None = None,
        structs: Mapping[str, type] | None = None,
        text: bool = False,
        listen: Address | None = ("127.0.0.1", 0),
        epmd: Address | None = EPMD_ADDRESS,
        addresses: Mapping[str, Address] | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        tls: Tls | None = None,
    ) -> None:
        if not is_node_name(node):
            raise ValueError(f"a node must be named like name@host; got {node!r}")
        if not isinstance(cookie, Cookie):  # the value stays unseen: it can be the secret
            raise TypeError(
                "cookie must be a Cookie, such as Cookie.from_file(); "
                f"got a {type(cookie).__name__}"
            )
        self._node = node
        self._cookie = cookie
        self._listen, self._epmd, self._tls = listen, epmd, tls
        self._addresses = dict(addresses or {})
        self._max_message_bytes = max_message_bytes
        self._functions = Functions(functions or {})
        names = _exposed(exposed)
        self._table = NodeTable(running(), self.pid, names, Structs(structs), text=text)
        self._listener: Pid | None = None
        self._port: int | None = None
        self._sockets: dict[str, Socket] = {}  # of connected nodes
        self._connecting: dict[str, Pid] = {}
        self._waiting: dict[str, list[From]] = {}

    async def init(self) -> None:
        """Listen, and register at epmd."""
        creation = 1
        if self._listen is not None:
            short_name, _, _ = self._node.partition("@")
            tls = None if self._tls is None else self._tls.server
            self._listener = await Listener.start_link(
                short_name, self._listen, self._epmd, tls, self._accept
            )
            self._port, creation = await Listener.facts(self._listener)
            _log.info("the node %s accepts connections at port %d", self._node, self._port)
        self._table.node = Node(self._node, creation)

    # -- For clients

    @call(timeout=CONNECT_SECONDS)
    async def connect(self, peer: str, *, from_: From) -> NoReply:
        """Connect with the node ``peer``; no effect if the two are connected.

        Sending does not connect by itself, unlike in Erlang: a process that needs another node
        connects in its ``init``, so that its supervisor decides how often to try.

        Args:
            peer: Full name of the other node.
            from_: The caller.

        Raises:
            ErlangConnectionError: The node cannot be reached, or refuses this one.

        Source:
            Elixir's ``Node.connect/1``.
        """
        if not is_node_name(peer):
            error = ValueError(f"a node must be named like name@host; got {peer!r}")
            GenServer.reply(from_, Fail(error))
        elif peer == self._node:
            error = ValueError(f"a node does not connect with itself; {peer!r} is this node")
            GenServer.reply(from_, Fail(error))
        elif peer in self._table.peers:
            GenServer.reply(from_, None)
        else:
            self._waiting.setdefault(peer, []).append(from_)
            if peer not in self._connecting:
                attempt = await Connection.start_link(peer, lambda: self._open(peer))
                self._connecting[peer] = attempt
        return NoReply()

    @call
    def peers(self) -> list[str]:
        """Return the names of the connected nodes.

        Source:
            Elixir's ``Node.list/1`` with ``:connected``.
        """
        return list(self._table.peers)

    @call
    def disconnect(self, peer: str) -> bool:
        """Close the connection with ``peer``; return whether there was one.

        Source:
            Elixir's ``Node.disconnect/1``.
        """
        socket = self._sockets.get(peer)
        if socket is None or peer not in self._table.peers:
            return False
        socket.close()
        return True

    @call
    def port(self) -> int | None:
        """Return the port at which the node accepts connections, ``None`` if it does not."""
        return self._port

    @staticmethod
    def via(node: Dest, peer: str, name: str) -> Via:
        """Return the destination of a process by its name on another node.

        Args:
            node: Name or pid of the `ErlangNode`.
            peer: Name of the other node.
            name: Registered name of the process there; an Elixir module such as ``"Shop.Cart"``,
                or a name such as ``"echo"``.

        Source:
            Erlang's destinations ``{Name, Node}``.
        """
        return checked_via(ErlangNode, (node, peer, elixir_name(name)))

    @staticmethod
    async def rpc(
        node: Dest,
        peer: str,
        module: str,
        function: str,
        args: Iterable[Any] = (),
        timeout: float | None = CALL_TIMEOUT,
    ) -> Any:
        """Call a function on another node, and return its result.

        Args:
            node: Name or pid of the `ErlangNode`.
            peer: Name of the other node.
            module: ``"Enum"`` for Elixir, ``"lists"`` for Erlang.
            function: Name of the function.
            args: Its arguments.
            timeout: Seconds to wait; ``None`` sets no limit.

        Raises:
            RpcError: The function does not exist or has failed.
            ExitError: There is no connection, or no result in time.

        Source:
            Erlang's ``rpc:call/5``.
        """
        leader = pid_of(node)  # output of the function: `handle_info` refuses it
        target = (Atom("call"), Atom(elixir_name(module)), Atom(function), list(args), leader)
        dest = ErlangNode.via(node, peer, "rex")
        result = await GenServer.call(dest, target, timeout)
        match result:
            case (Atom("badrpc"), reason):
                raise RpcError(reason)
        return result

    # -- The name service of `via`

    @staticmethod
    def register_name(name: Any, pid: Pid, /) -> bool:
        """Raise `TypeError`: names of another node are registered there."""
        raise TypeError(f"{name[2]!r} is a name on another node, which cannot be taken from here")

    @staticmethod
    def unregister_name(name: Any, /) -> None:
        """Do nothing: `register_name` registers nothing."""

    @staticmethod
    def whereis_name(name: Any, /) -> Pid | None:
        """Return the destination of a name; ``None`` if the node does not run."""
        node, peer, remote_name = name
        pid = pid_of(node)
        server = None if pid is None else getattr(pid._process, "server", None)
        return server._table.named(peer, remote_name) if isinstance(server, ErlangNode) else None

    # -- Connections

    def _accept(self) -> Socket:
        node = self._table.node
        socket = self._socket(
            None, lambda address: Acceptor(node, self._cookie, self._status_for, address)
        )
        process.send(self.pid, _Accepted(socket))
        return socket

    def _socket(self, peer: str | None, handshake: Callable[[str], Handshake]) -> Socket:
        return Socket(
            peer,
            handshake,
            table=self._table,
            functions=self._functions,
            max_message_bytes=self._max_message_bytes,
            tls=self._tls is not None,
            opened=self._opened,
        )

    def _status_for(self, peer: str) -> Status:
        if peer == self._node:
            return "nok"
        if peer in self._table.peers:
            return "alive"
        if peer in self._connecting:  # both connect: the attempt of the greater name stays
            return "nok" if self._node > peer else "ok_simultaneous"
        return "ok"

    async def _open(self, peer: str) -> Socket:
        """Connect with ``peer``."""
        _, _, host = peer.partition("@")
        if peer in self._addresses:
            host, port = self._addresses[peer]
        else:
            _, epmd_port = self._epmd or EPMD_ADDRESS
            port = await port_of(peer, host, epmd_port)
        tls = None if self._tls is None else self._tls.client
        _, socket = await asyncio.get_running_loop().create_connection(
            lambda: self._socket(peer, lambda _: Initiator(self._table.node, self._cookie, peer)),
            host,
            port,
            ssl=tls,
            server_hostname=None if tls is None else host,
        )
        return socket

    def _opened(self, socket: Socket) -> None:
        """Handle the end of a handshake, before the first message of the peer."""
        assert socket.peer is not None  # noqa: S101 - it is set then
        name = socket.peer.name
        old = self._sockets.get(name)
        if old is not None:  # the peer has lost it, or both have connected at once
            old.close()
        self._sockets[name] = socket
        self._table.peers[name] = socket.peer
        attempt = self._connecting.pop(name, None)
        if attempt is not None and isinstance(socket.handshake, Acceptor):
            self._end(attempt)
        for from_ in self._waiting.pop(name, ()):
            GenServer.reply(from_, None)

    def _end(self, attempt: Pid) -> None:
        """End an attempt to connect that the peer has overtaken."""
        if attempt._process is not None:
            attempt._process.signal(self.pid, "shutdown")

    async def handle_info(self, message: object) -> Stop | None:
        """Handle accepted connections and the ends of connections."""
        match message:
            case _Accepted(socket):
                await Connection.start_link(socket.peer_name, _ready(socket))
            case Exit(pid, reason) if pid is self._listener:
                return Stop(reason[1] if isinstance(reason, tuple) else reason)
            case Exit(pid, reason):
                self._connection_ended(pid, reason)
            case (Atom("io_request"), Pid() as sender, reply_as, _):
                refusal = (Atom("error"), Atom("enotsup"))
                process.send(sender, (Atom("io_reply"), reply_as, refusal))
            case _:
                _log.debug("the node %s got the unexpected message %r", self._node, message)
        return None

    def _connection_ended(self, pid: Pid, reason: object) -> None:
        """Drop what belongs to a connection that has ended; its callers get the error."""
        for name, socket in list(self._sockets.items()):
            if socket.owner is pid:
                socket.close()  # no effect, unless its process was killed
                del self._sockets[name]
        error = reason[1] if isinstance(reason, tuple) and len(reason) == 2 else reason
        if isinstance(error, Exception):
            _log.warning("%s", error)
        for name, attempt in list(self._connecting.items()):
            if attempt is pid:
                del self._connecting[name]
                self._connect_failed(name, error)

    def _connect_failed(self, peer: str, error: object) -> None:
        if isinstance(error, BothConnectError):
            return  # the connection that the peer is making answers the callers
        if not isinstance(error, Exception):
            error = ErlangConnectionError(peer, f"the attempt ended: {error!r}")
        for from_ in self._waiting.pop(peer, ()):
            GenServer.reply(from_, Fail(error))


def elixir_name(name: str) -> str:
    """Return the atom of an Elixir module for a name that begins with a capital letter."""
    return f"Elixir.{name}" if name[:1].isupper() and not name.startswith("Elixir.") else name


def _ready(socket: Socket) -> Callable[[], Awaitable[Socket]]:
    async def opened() -> Socket:
        return socket

    return opened


def _exposed(exposed: Iterable[str] | Mapping[str, Dest]) -> dict[str, Dest]:
    if isinstance(exposed, str):
        raise TypeError(f"exposed must be a list of names or a mapping; got {exposed!r}")
    names: dict[str, Dest] = (
        dict(exposed) if isinstance(exposed, Mapping) else {name: name for name in exposed}
    )
    for name in names:
        if not isinstance(name, str) or not name or name in RESERVED_NAMES:
            raise ValueError(
                f"exposed names must be strings other than {', '.join(RESERVED_NAMES)}; "
                f"got {name!r}"
            )
    return names
