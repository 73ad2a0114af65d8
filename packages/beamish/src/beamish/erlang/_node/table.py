"""`NodeTable`: what the connections of one node share.

A process of this program is reachable from other nodes if its name is exposed, or if its pid was
sent to another node. Such a pid stays in ``exported`` until the process ends. No other number finds
a process, however a peer forms its pids.
"""

import itertools
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from beamish._runtime.names import pid_of
from beamish._runtime.remote import ExportedPids
from beamish._runtime.runtime import Runtime
from beamish.erlang._format.context import TermContext
from beamish.erlang._node.remote import RemotePid
from beamish.erlang._wire.handshake import Node
from beamish.erlang.errors import TermError
from beamish.erlang.structs import Structs
from beamish.erlang.terms import Atom, ErlangRef, ProcessIdentity
from beamish.errors import NoProcessError
from beamish.pid import Dest, Pid

_WORD = 2**32
_REF_WORD = 2**18  # the first word of a reference has 18 bits


class NodeTable(TermContext):
    """Connections, exported pids, and the pids of other nodes.

    Args:
        runtime: The runtime of the node.
        pid: The process of the node; the sender of what no process sends.
        exposed: The processes that other nodes can reach by name.
        structs: As in `TermContext`.
        text: As in `TermContext`.
    """

    def __init__(
        self,
        runtime: Runtime,
        pid: Pid,
        exposed: Mapping[str, Dest],
        structs: Structs,
        *,
        text: bool,
    ) -> None:
        super().__init__(structs, text=text)
        self.runtime = runtime
        self.me = pid
        self.node = Node("", 0)  # known when the node listens
        self.peers: dict[str, Any] = {}  # each `Peer` by its name
        self.handshakes: set[Any] = set()  # each `Socket` whose handshake is not done
        self.exposed = exposed
        self._exported = ExportedPids()
        self._remote: WeakValueDictionary[Any, RemotePid] = WeakValueDictionary()
        self._numbers = itertools.count(1)

    # -- Pids in terms

    def identity(self, pid: Pid) -> ProcessIdentity | tuple[Atom, Atom]:
        """Return the parts of ``pid``; a local process becomes reachable."""
        if isinstance(pid, RemotePid):
            return pid.identity
        if pid._runtime is not self.runtime:
            raise TermError(f"{pid!r} lives in another event loop than the ErlangNode")
        self._exported.add(pid)
        serial, number = divmod(pid.serial, _WORD)
        return ProcessIdentity(self.node.name, number, serial, self.node.creation)

    def pid(self, identity: ProcessIdentity) -> Pid:
        """Return the pid of a process of any node; a dead one if this node has none such."""
        if identity.node != self.node.name:
            return self._remote_pid(identity)
        number = identity.serial * _WORD + identity.number
        found = self._exported.get(number) if identity.creation == self.node.creation else None
        return self._remote_pid(identity, alive=False) if found is None else found

    def named(self, node: str, name: str) -> RemotePid:
        """Return the destination ``{name, node}``."""
        return self._remote_pid((Atom(name), Atom(node)))

    def _remote_pid(self, identity: Any, *, alive: bool = True) -> RemotePid:
        pid = self._remote.get(identity)
        if pid is None:
            table = self if alive else None
            pid = self._remote[identity] = RemotePid(self.runtime, table, identity)
        return pid

    # -- Names

    def reachable(self, target: Any) -> Pid | None:
        """Return the live local process for a pid or the exposed name ``target``."""
        if isinstance(target, Pid):
            dead = isinstance(target, RemotePid) or target._process is None
            return None if dead else target
        dest = self.exposed.get(target) if isinstance(target, Atom) else None
        try:
            return None if dest is None else pid_of(dest)
        except NoProcessError:  # a via name in a registry that does not run
            return None

    # -- References

    def new_ref(self) -> ErlangRef:
        """Return a reference that is not used twice."""
        rest, low = divmod(next(self._numbers), _REF_WORD)
        high, middle = divmod(rest, _WORD)
        return ErlangRef(self.node.name, self.node.creation, (low, middle, high % _WORD))

    def new_number(self) -> int:
        """Return a number that is not used twice."""
        return next(self._numbers)
