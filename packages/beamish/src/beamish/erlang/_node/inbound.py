"""Handles the control messages of a peer."""

import inspect
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from beamish._diagnostics.system import StopRequest
from beamish._runtime.process import Process
from beamish._server.process import ServerProcess
from beamish._server.requests import From
from beamish._server.table import Callback
from beamish.erlang._format.context import shown
from beamish.erlang._node.functions import Functions
from beamish.erlang._node.peer import Op, Peer
from beamish.erlang._node.reasons import is_word, reason_term, unsendable_term
from beamish.erlang._node.remote import RemotePid
from beamish.erlang.errors import ErlangConnectionError, TermError
from beamish.erlang.terms import Atom, ErlangRef, ImproperList
from beamish.pid import Pid

_log = logging.getLogger("beamish")

# Messages with a trace token: the same without it, and its place.
_TRACED = {
    12: (Op.SEND, 3),
    13: (Op.EXIT, 3),
    16: (Op.REG_SEND, 4),
    18: (Op.EXIT2, 3),
    23: (Op.SEND_SENDER, 3),
    30: (Op.SPAWN_REQUEST, 6),
    34: (Op.ALIAS_SEND, 3),
}
RESERVED_NAMES = ("net_kernel", "rex")
"""Names that the node itself holds: for ``ping`` and for calls of exposed functions."""


class ErlangFrom(From):
    """A call of a process of another node to a process of this one.

    Args:
        process: The called process.
        peer: The node from which the call came.
        caller: The calling process.
        tag: What the reply must carry.
    """

    __slots__ = ("_peer", "_tag")

    def __init__(self, process: Process, peer: Peer, caller: Pid, tag: Any) -> None:
        super().__init__(process, process.pid)
        self.pid = caller
        self._peer = peer
        self._tag = tag

    def resolve(self, value: Any) -> None:
        """Send the reply; only the first one counts."""
        was_open = self.is_open
        super().resolve(value)
        if was_open:
            self._send(value)

    def refuse(self, error: Exception) -> None:
        """Send ``{error, Reason}``; only the first reply counts."""
        was_open = self.is_open
        super().refuse(error)
        if was_open:
            self._send((Atom("error"), reason_term(error)))

    # `fail` sends nothing: the caller monitors the process.

    def _send(self, value: Any) -> None:
        try:
            reply(self._peer, self.pid, self._tag, value)
        except TermError as error:
            _log.error("the reply of %r to %r cannot be sent: %s", self._dest, self.pid, error)
            self._exit_caller(value)

    def _exit_caller(self, value: Any) -> None:
        """End the call with an exit, as if the process had ended: no error reply exists."""
        alias = _alias_of(self._tag)
        if alias is not None:
            self._peer.monitors.pop(alias, None)
            reason = unsendable_term(value)
            self._peer.send_reason(Op.MONITOR_P_EXIT, self._dest, self.pid, alias, reason)


def reply(peer: Peer, caller: Pid | None, tag: Any, value: Any) -> None:
    """Send a reply, to the alias in the tag if it has one.

    The request can have come through another node than that of its caller.

    Args:
        peer: The node from which the request came.
        caller: The calling process.
        tag: What the reply must carry.
        value: The reply.

    Raises:
        TermError: ``value`` has no form in Erlang.
    """
    alias = _alias_of(tag)
    node = caller.node if isinstance(caller, RemotePid) else peer.name
    home = peer.table.peers.get(node)
    if home is None:
        return
    if alias is not None:
        home.send((Op.ALIAS_SEND, peer.table.me, alias), (tag, value))
    else:
        home.send((Op.SEND, Atom(""), caller), (tag, value))


def _alias_of(tag: Any) -> ErlangRef | None:
    """Return the alias in ``[alias | Ref]`` or ``[[alias | Ref] | Rest]``."""
    match tag:
        case ImproperList((Atom("alias"),), ErlangRef() as ref):
            return ref
        case ImproperList((first, *_), _) | [first, *_]:
            return _alias_of(first)
    return None


class RemoteMonitor:
    """A monitor that a process of the peer has on a local one."""

    def __init__(self, peer: Peer, target: Any, owner: Any, ref: ErlangRef) -> None:
        self._peer = peer
        self._fields = (target, owner, ref)

    def died(self, pid: Pid, reason: Any) -> None:
        """Send the end of the process to the peer."""
        target, owner, ref = self._fields
        if self._peer.monitors.pop(ref, None) is not None:
            self._peer.send_reason(Op.MONITOR_P_EXIT, target, owner, ref, reason)


class Inbound:
    """The control messages of one peer.

    Args:
        peer: The peer.
        functions: The functions that it can call.
    """

    def __init__(self, peer: Peer, functions: Functions) -> None:
        self._peer = peer
        self._table = peer.table
        self._functions = functions

    def handle(self, terms: list[Any]) -> None:
        """Handle one control message and the message that belongs to it.

        Raises:
            ErlangConnectionError: It is not a valid control message.
        """
        control, *message = terms or [()]
        if isinstance(control, tuple) and control and control[0] in _TRACED:
            op, token = _TRACED[control[0]]
            control = (op, *control[1:token], *control[token + 1 :])
        match control, message:
            case (Op.SEND | Op.SEND_SENDER, _, Pid() as target), [content]:
                self._message(self._table.reachable(target), content)
            case (Op.REG_SEND, _, _, Atom() as name), [content]:
                self._named_message(name, content)
            case (Op.ALIAS_SEND, _, ErlangRef() as ref), [content]:
                self._reply(ref, content)
            case (Op.SPAWN_REQUEST, ErlangRef() as ref, Pid() as owner, _, function, options), [
                arguments
            ]:
                self._functions.spawn(self._peer, ref, owner, function, options, arguments)
            case tuple(), []:
                self._signal(control)
            case _:
                raise self._invalid(control)

    def _signal(self, control: tuple[Any, ...]) -> None:
        match control:
            case (Op.MONITOR_P, Pid() as owner, target, ErlangRef() as ref):
                self._monitor(owner, target, ref)
            case (Op.DEMONITOR_P, _, _, ErlangRef() as ref):
                self._demonitor(ref)
            case (Op.MONITOR_P_EXIT, _, _, ErlangRef() as ref, reason):
                self._peer.process_ended(ref, reason)
            case (Op.LINK, Pid() as remote, Pid() as target):
                self._link(remote, target)
            case (Op.UNLINK_ID, int() as number, Pid() as remote, Pid() as local):
                self._unlink(number, remote, local)
            case (Op.UNLINK_ID_ACK, int() as number, Pid() as remote, Pid() as local):
                self._peer.unlinked(number, local, remote)
            case (Op.EXIT, Pid() as remote, Pid() as local, reason):
                self._linked_exit(remote, local, reason)
            case (Op.EXIT2, Pid() as sender, Pid() as target, reason):
                self._exit(sender, target, reason)
            case (Op.GROUP_LEADER, _, _) | (Op.SPAWN_REPLY, *_):
                pass
            case _:
                raise self._invalid(control)

    def _invalid(self, control: Any) -> ErlangConnectionError:
        op = control[0] if isinstance(control, tuple) and control else control
        return ErlangConnectionError(self._peer.name, f"invalid control message {shown(op)}")

    # -- Messages

    def _named_message(self, name: Atom, content: Any) -> None:
        match name, content:
            case "net_kernel", (Atom("$gen_call"), (Pid() as caller, tag), (Atom("is_auth"), _)):
                reply(self._peer, caller, tag, Atom("yes"))
            case "rex", (Atom("$gen_call"), (Pid() as caller, tag), request):
                self._functions.call(self._peer, request, lambda v: self._answer(caller, tag, v))
            case _ if name not in RESERVED_NAMES:
                self._message(self._table.reachable(name), content)

    def _answer(self, caller: Pid, tag: Any, value: Any) -> None:
        try:
            reply(self._peer, caller, tag, value)
        except TermError:
            reply(self._peer, caller, tag, (Atom("badrpc"), unsendable_term(value)))

    def _message(self, pid: Pid | None, content: Any) -> None:
        process = None if pid is None else pid._process
        if process is None:
            return
        match content:
            case (Atom("$gen_call"), (Pid() as caller, tag), request) if _serves(process):
                from_ = ErlangFrom(process, self._peer, caller, tag)
                name, args = _route(process.table, process.table.calls, request, "handle_call")
                process.request_from(from_, name, args)
            case (Atom("$gen_cast"), request) if _serves(process):
                name, args = _route(process.table, process.table.casts, request, "handle_cast")
                process.cast(name, args, None)
            case (Atom("system"), (Pid() as caller, tag), request) if _serves(process):
                self._system(process, caller, tag, request)
            case _:
                process.deliver(content)

    def _system(self, process: Any, caller: Pid, tag: Any, request: Any) -> None:
        """Handle a request of ``sys``: to terminate; the state of a server stays hidden."""
        match request:
            case (Atom("terminate"), reason):
                reply(self._peer, caller, tag, Atom("ok"))
                process.system(StopRequest(reason))
            case _:
                reply(self._peer, caller, tag, (Atom("error"), Atom("notsup")))

    def _reply(self, ref: ErlangRef, content: Any) -> None:
        call = self._peer.calls.get(ref)
        if call is not None and isinstance(content, tuple) and len(content) == 2:
            call.resolve(content[1])

    # -- Monitors, links and exit signals

    def _monitor(self, owner: Pid, target: Any, ref: ErlangRef) -> None:
        pid = self._table.me if target in RESERVED_NAMES else self._table.reachable(target)
        if pid is None or pid._process is None:
            self._peer.send_reason(Op.MONITOR_P_EXIT, target, owner, ref, "noproc")
            return
        watcher = RemoteMonitor(self._peer, target, owner, ref)
        self._peer.monitors[ref] = (pid, watcher)
        pid._process.watch(watcher)

    def _demonitor(self, ref: ErlangRef) -> None:
        pid, watcher = self._peer.monitors.pop(ref, (None, None))
        if pid is not None and pid._process is not None:
            pid._process.unwatch(watcher)

    def _link(self, remote: Pid, target: Pid) -> None:
        local = self._table.reachable(target)
        if local is None:
            self._peer.send_reason(Op.EXIT, target, remote, "noproc")
        else:
            self._peer.linked(remote, local)

    def _unlink(self, number: int, remote: Pid, local: Pid) -> None:
        if self._peer.links.pop((local, remote), self) is None and local._process is not None:
            local._process.remove_link(remote)
        self._peer.send((Op.UNLINK_ID_ACK, number, local, remote))

    def _linked_exit(self, remote: Pid, local: Pid, reason: Any) -> None:
        if self._peer.links.pop((local, remote), self) is None and local._process is not None:
            local._process.linked_exit(remote, reason, False)
            self._table.runtime.deliver_exit_signals()

    def _exit(self, sender: Pid, target: Pid, reason: Any) -> None:
        local = self._table.reachable(target)
        if local is None or local._process is None:
            return
        if is_word(reason, "kill"):
            local._process.kill("killed")
        else:
            local._process.signal(sender, reason)
        self._table.runtime.deliver_exit_signals()


def _serves(process: Any) -> bool:
    return isinstance(process, ServerProcess)


def _route(
    table: Any, methods: Mapping[str, Callback], request: Any, default: str
) -> tuple[str, tuple[Any, ...]]:
    """Return the callback and the arguments for a request.

    ``{add, 5}`` goes to the method ``add`` if that is decorated and takes one argument, otherwise
    to the default callback. The library's own servers, such as supervisors, get no methods called.
    """
    match request:
        case Atom():
            name, args = request, ()
        case (Atom() as name, *rest):
            args = tuple(rest)
        case _:
            return default, (request,)
    callback = None if table.prefix or name.startswith("handle_") else methods.get(name)
    if callback is None or not _takes(callback.function, len(args), callback.wants_from):
        return default, (request,)
    return str(name), args


@lru_cache(maxsize=1024)
def _takes(function: Callable[..., Any], count: int, wants_from: bool) -> bool:
    keywords = {"from_": None} if wants_from else {}
    try:
        inspect.signature(function).bind(None, *range(count), **keywords)
    except TypeError:
        return False
    return True
