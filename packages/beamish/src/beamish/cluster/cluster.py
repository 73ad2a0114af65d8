"""`Cluster`: one program as a member of a cluster."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

from beamish import _checks, process
from beamish._runtime.runtime import running
from beamish.cluster._node import members
from beamish.cluster._node.node import Node
from beamish.cluster._placement.protocol import Placement
from beamish.cluster._store.protocol import Store
from beamish.cluster.errors import HostLostError
from beamish.cluster.fence import Fence
from beamish.cluster.messages import NodeDown, NodeUp
from beamish.cluster.nodes import SLOTS, HostPlan, NodeInfo, ShardInfo
from beamish.errors import ExitError, NoProcessError, NotFoundError
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MIN_LEASE_SECONDS = 0.5
MAX_NAME_LENGTH = 100
_WATCH_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_RETRY_SECONDS = 0.1


class Cluster:
    """The membership of one program in a cluster; `join` creates it.

    Source:
        Erlang's ``net_kernel`` and ``Node`` in Elixir.
    """

    def __init__(self, node: Node, placement: Placement) -> None:
        self._node = node
        self._placement = placement
        self._monitoring: dict[Pid, None] = {}

    @classmethod
    @asynccontextmanager
    async def join(
        cls,
        name: str,
        *,
        store: str | Store,
        shards: int = 16,
        address: str = "auto",
        lease: float = 2.0,
        placement: Placement | None = None,
    ) -> AsyncIterator["Cluster"]:
        """Join a cluster for the length of an ``async with`` block; start it if it does not run.

        The hosts of the cluster, and the processes on them, outlive the block.

        Args:
            name: The name of the cluster, 1 to 100 characters.
            store: A connection string of the PostgreSQL server that holds the cluster's tables.
            shards: The number of hosts: about twice the number of cores that the cluster will
                have. It is fixed while the cluster runs.
            address: The address of the Ray cluster; ``"auto"`` finds the one of this machine.
            lease: Seconds for which a host acts without an answer of the store.
            placement: The engine that runs the hosts; by default Ray.

        Raises:
            ValueError: An argument has a value that is not allowed, such as a store that is not a
                connection string, or the cluster runs with another number of shards.
            StoreUnavailableError: The store does not answer.
            RuntimeError: This event loop is a member of a cluster already.
        """
        _check(name, shards, lease)
        opened = open_store(name, store)
        try:
            await opened.prepare(shards)
            engine = placement or _ray(address, name, store)
            await engine.open([HostPlan(name, n, shards, lease) for n in range(shards)])
            program = uuid4().hex
            node = Node(name, shards, program, program, running(), engine.connect, opened)
            cluster = cls(node, engine)
            watch = asyncio.ensure_future(cluster._watch())
            try:
                for shard in range(shards):
                    node.link(shard)  # hosts can send to this program only by its links
                yield cluster
            finally:
                watch.cancel()
                node.close()
                await engine.close()
        finally:
            await opened.close()

    # -- Nodes and shards

    async def members(self) -> list[NodeInfo]:
        """Return the nodes of the cluster, with the shards whose hosts run there."""
        placed = await self.shards()
        return [
            NodeInfo(
                node.id,
                node.address,
                node.alive,
                tuple(info.shard for info in placed if info.node == node.id),
            )
            for node in await self._placement.nodes()
        ]

    async def shards(self) -> list[ShardInfo]:
        """Return the shards; one whose host does not answer has the state ``"moving"``."""
        return await asyncio.gather(*(self._shard(shard) for shard in range(self._node.shards)))

    async def _shard(self, shard: int) -> ShardInfo:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                info = await self._node.query(shard, "info")
        except (ExitError, TimeoutError):  # lost, or frozen
            return ShardInfo(shard, None, 0, 0, "moving")
        return ShardInfo(shard, **info)

    def monitor_nodes(self, flag: bool = True) -> None:
        """Send `NodeUp` and `NodeDown` to the current process, or with ``False`` no longer.

        Raises:
            NoProcessError: This code does not run in a process.

        Source:
            Erlang's ``net_kernel:monitor_nodes/1``.
        """
        if flag:
            self._monitoring[process.current()] = None
        else:
            self._monitoring.pop(process.current(), None)

    async def _watch(self) -> None:
        known: set[str] | None = None
        while True:
            with suppress(HostLostError):
                nodes = await self._placement.nodes()
                alive = {node.id for node in nodes if node.alive}
                if known is not None:
                    for node in sorted(alive - known):
                        self._tell(NodeUp(node))
                    for node in sorted(known - alive):
                        self._tell(NodeDown(node, "noconnection"))
                known = alive
            await asyncio.sleep(_WATCH_SECONDS)

    def _tell(self, message: NodeUp | NodeDown) -> None:
        for pid in list(self._monitoring):
            if pid._process is None:
                del self._monitoring[pid]
            else:
                process.send(pid, message)

    # -- Moving shards

    async def drain(self, node: str, *, deadline: float = 60.0) -> None:
        """Move every shard away from a node, one after another.

        The ``terminate`` of each process runs, and no shard waits for a lease. Take the node out
        of the engine first (with Ray: ``ray drain-node``); otherwise shards can be placed there
        again.

        Args:
            node: The id of the node.
            deadline: Seconds for all of it.

        Raises:
            TimeoutError: Some shards have not moved in time. Each has a host, here or elsewhere.
            NotFoundError: The cluster has no such node.
        """
        _checks.seconds("deadline", deadline, positive=True)
        if node not in {known.id for known in await self._placement.nodes()}:
            raise NotFoundError(f"the cluster has no node {node!r}")
        async with asyncio.timeout(deadline):
            for info in await self.shards():
                if info.node == node:
                    await self._move(info.shard)

    async def rebalance(self, *, max_moves: int = 1) -> int:
        """Move shards from the nodes that have most to those that have fewest.

        Args:
            max_moves: Maximum number of shards to move.

        Returns:
            The number of shards that were moved; 0 if the nodes are balanced.
        """
        _checks.count("max_moves", max_moves, minimum=1)
        for moves in range(max_moves):
            nodes = sorted(
                (node for node in await self.members() if node.alive),
                key=lambda node: len(node.shards),
            )
            if len(nodes) < 2 or len(nodes[-1].shards) - len(nodes[0].shards) < 2:
                return moves
            await self._move(nodes[-1].shards[-1])
        return max_moves

    async def _move(self, shard: int) -> None:
        port = self._placement.connect(shard)
        before = (await self._shard(shard)).epoch
        while True:
            try:
                await port.leave()
            except HostLostError:
                # It has left or is lost, and the engine replaces it: ending the next host too would
                # lose what that has taken over. Or the request was lost: then ask again.
                pass
            else:
                await self._placement.restart(shard)
            while (info := await self._shard(shard)).state == "moving":
                await asyncio.sleep(_RETRY_SECONDS)
            if info.epoch != before:
                return

    # -- Fencing

    @staticmethod
    def fence() -> Fence:
        """Return the right of this host to act, as parameters of `FENCE_SQL`.

        Call it in a callback of a process that a cluster supervisor has started.

        Raises:
            NoProcessError: This code does not run on a host of a cluster.
        """
        member = members.current()
        if member.host is None or not isinstance(member.home, int):
            raise NoProcessError(
                advice="only a process on a host of the cluster has a fence; this program has "
                "joined the cluster, but is not a host"
            )
        return Fence(member.cluster, member.home, member.host.epoch)


def check_name(name: Any) -> None:
    """Raise `ValueError` if ``name`` cannot be the name of a cluster."""
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ValueError(
            f"the name of a cluster must have 1 to {MAX_NAME_LENGTH} printable characters; "
            f"got {name!r}"
        )


def _check(name: Any, shards: Any, lease: Any) -> None:
    check_name(name)
    _checks.count("shards", shards, minimum=1)
    if shards > SLOTS:
        raise ValueError(f"shards must be at most {SLOTS}; got {shards}")
    _checks.seconds("lease", lease)
    if lease < MIN_LEASE_SECONDS:
        raise ValueError(f"lease must be at least {MIN_LEASE_SECONDS} s; got {lease!r}")


def open_store(name: str, store: str | Store) -> Store:
    """Return the store of a connection string.

    Raises:
        ModuleNotFoundError: psycopg is not installed.
        ValueError: ``store`` is not a connection string.
    """
    if not isinstance(store, str):
        return store
    try:
        # Not at the top: a simulation needs no psycopg.
        from beamish.cluster._store.postgresql import PostgresStore
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a cluster needs Ray and psycopg: pip install 'beamish[cluster]'", name=error.name
        ) from None
    return PostgresStore(name, store)


def _ray(address: str, name: str, store: str | Store) -> Placement:
    if not isinstance(store, str):
        raise TypeError("hosts on Ray need the connection string of the store; got an object")
    from beamish.cluster._placement.ray import RayPlacement

    return RayPlacement(address, name, store)
