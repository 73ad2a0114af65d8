"""`Node`: one program or host as a member of a cluster."""

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from beamish._runtime.remote import ExportedPids
from beamish._runtime.runtime import Runtime
from beamish.cluster._node import members, wire
from beamish.cluster._node.identity import Identity
from beamish.cluster._node.link import Link
from beamish.cluster._node.pids import ClusterPid
from beamish.cluster._node.port import Port
from beamish.cluster._node.process import ProgramProcess, ShardProcess
from beamish.cluster._store.protocol import Store
from beamish.cluster.errors import HostLostError
from beamish.errors import BeamishError, ExitError
from beamish.pid import Pid

_log = logging.getLogger("beamish")


class Node:
    """One member: the pids that it knows, and its links to the shards.

    Args:
        cluster: The name of the cluster.
        shards: The number of shards.
        home: The shard of the host that runs here, or the id of the program.
        program: The id under which it opens sessions.
        runtime: The runtime of its event loop.
        connect: Returns the port of a shard.
        store: The store of the cluster.
        host: The host that runs here, if any.
    """

    def __init__(
        self,
        cluster: str,
        shards: int,
        home: int | str,
        program: str,
        runtime: Runtime,
        connect: Callable[[int], Port],
        store: Store,
        host: members.Host | None = None,
    ) -> None:
        self.cluster = cluster
        self.shards = shards
        self.home = home
        self.runtime = runtime
        self.host = host
        self._program = program
        self._connect = connect
        self._store = store
        self._exported = ExportedPids()
        self._pids: WeakValueDictionary[Identity, ClusterPid] = WeakValueDictionary()
        self._links: dict[int, Link] = {}
        self._closed = False
        self._leave = members.enter(runtime.loop, self)

    def close(self) -> None:
        """Leave the cluster: remote pids are dead from now on, and all that waits ends."""
        self._closed = True
        for link in self._links.values():
            link.close()
        self._leave()

    # -- Pids

    def identity(self, pid: Pid) -> Identity:
        """Return the identity of a pid; a local process becomes reachable.

        Raises:
            TypeError: The process lives in another event loop, or on a node of another cluster.
        """
        if isinstance(pid, ClusterPid):
            return pid.identity
        if pid.__class__ is not Pid or pid._runtime is not self.runtime:
            raise TypeError(f"{pid!r} is not a process of this member of the cluster")
        epoch = 0 if self.host is None else self.host.epoch
        name = _cluster_name(pid)
        if name is None or self.host is None:
            self._exported.add(pid)
            return Identity(self.home, serial=pid.serial, epoch=epoch)
        return Identity(self.home, *name, serial=pid.serial, epoch=epoch)

    def pid(self, identity: Identity) -> Pid:
        """Return the pid of an identity: the local pid of a live local process."""
        if not identity.is_name:
            local = self.local(identity)
            if local is not None:
                return local
        pid = self._pids.get(identity)
        if pid is None:
            pid = self._pids[identity] = ClusterPid(self, identity)
        return pid

    def local(self, identity: Identity) -> Pid | None:
        """Return the live local process of an identity, or ``None``."""
        if identity.home != self.home:
            return None
        if self.host is not None and identity.registry:
            return self.host.find(identity)
        epoch = 0 if self.host is None else self.host.epoch
        return self._exported.get(identity.serial) if identity.epoch == epoch else None

    def represent(self, pid: ClusterPid) -> Any:
        """Return what takes the signals for a pid, or ``None`` if it is dead."""
        identity = pid.identity
        if self._closed:
            return None
        if identity.home == self.home:
            local = self.local(identity)
            return None if local is None else local._process
        if isinstance(identity.home, int):
            return ShardProcess(pid, self, self.link(identity.home))
        return ProgramProcess(pid, self)

    # -- Shards

    def link(self, shard: int) -> Link:
        """Return the link to a shard."""
        link = self._links.get(shard)
        if link is None:
            link = self._links[shard] = Link(
                self._program, shard, self._connect(shard), self._deliver
            )
        return link

    def _deliver(self, payload: tuple[Any, ...]) -> None:
        serial, kind, content = payload
        pid = self._exported.get(serial)
        process = None if pid is None else pid._process
        if process is not None:
            try:
                deliver(process, kind, content)
            except Exception as error:  # such as a cast to a process that is not a server
                _log.error("a %s for %r failed: %s", kind, pid, error)

    async def query(self, shard: int, question: str, *arguments: Any) -> Any:
        """Ask a host.

        Raises:
            ExitError: The host is lost.
        """
        try:
            data = await self._connect(shard).query(question, wire.dump(arguments))
        except HostLostError as error:
            raise ExitError("noconnection") from error
        return wire.load(data)

    async def declare(self, kind: str, name: str, options: dict[str, Any]) -> None:
        """Store that the hosts must run a registry or supervisor."""
        await self._store.declare(kind, name, wire.dump(options))


def deliver(process: Any, kind: str, content: Any) -> None:
    """Deliver a message that has come from another member to a live local process."""
    if kind == "message":
        process.deliver(content)
    elif kind == "cast":
        process.cast(*content)
    elif kind == "exit":
        sender, reason = content
        if isinstance(reason, str) and reason == "kill":
            process.kill("killed")
        else:
            process.signal(sender, reason)
        process.runtime.deliver_exit_signals()
    else:
        raise BeamishError(f"unknown kind of message {kind!r}")


def _cluster_name(pid: Pid) -> tuple[str, str] | None:
    """Return the registry and the key of the process's cluster name, if it has one."""
    name = getattr(pid._process, "name", None)
    service = getattr(name, "service", None)
    if name is None or not getattr(service, "is_cluster_registry", False):
        return None
    found: tuple[str, str] = name.name
    return found
