"""`RayPlacement`: each host is a Ray actor, which Ray restarts on another node when it is lost."""

import asyncio
import os
import socket
from importlib import import_module
from typing import Any

from beamish.cluster._host.host import ShardHost
from beamish.cluster._node.port import RemotePort
from beamish.cluster._store.postgresql import PostgresStore
from beamish.cluster.errors import HostLostError
from beamish.cluster.nodes import HostPlan, NodeInfo

_NAMESPACE = "beamish"
_RESOURCE = "beamish_host"
_EXIT_STATUS = 13
# Of one host: each waiting request of a member is one call to its actor.
_MAX_CONCURRENCY = 10_000


class RayHost:
    """The Ray actor of one host.

    Args:
        plan: The shard and its cluster.
        dsn: The connection string of the store.
    """

    def __init__(self, plan: HostPlan, dsn: str) -> None:
        self._plan = plan
        self._dsn = dsn
        self._ray: Any = import_module("ray")
        # Ray creates an async actor in the thread of its event loop, before that runs.
        loop = asyncio.get_event_loop()
        self._started: asyncio.Future[ShardHost] = loop.create_future()
        loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        plan = self._plan
        self._started.set_result(
            ShardHost(
                plan,
                PostgresStore(plan.cluster, self._dsn),
                lambda shard: RayPort(self._ray, plan.cluster, shard),
                lambda _: os._exit(_EXIT_STATUS),
                address=f"{socket.gethostname()}:{os.getpid()}",
                node=self._ray.get_runtime_context().get_node_id(),
            )
        )

    async def request(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Call a method of the host."""
        host = await asyncio.shield(self._started)
        return await getattr(host, method)(*arguments)


class RayPort(RemotePort):
    """The requests to the host of one shard; see `Port`.

    Args:
        ray: The module.
        cluster: The name of the cluster.
        shard: The shard.
    """

    def __init__(self, ray: Any, cluster: str, shard: int) -> None:
        self._ray = ray
        self._name = _actor_name(cluster, shard)
        self._actor: Any = None

    async def _request(self, method: str, *arguments: Any) -> Any:
        errors = self._ray.exceptions
        try:
            if self._actor is None:
                self._actor = await asyncio.to_thread(
                    self._ray.get_actor, self._name, namespace=_NAMESPACE
                )
            return await self._actor.request.remote(method, arguments)
        except errors.RayTaskError as error:
            raise error.cause from None
        except (errors.RayError, ValueError, ConnectionError) as error:  # ValueError: no such actor
            self._actor = None
            raise HostLostError(str(error).partition("\n")[0]) from error

    async def end(self) -> None:
        """End the host; Ray starts the next one."""
        await asyncio.to_thread(self._kill)

    def _kill(self) -> None:
        try:
            actor = self._ray.get_actor(self._name, namespace=_NAMESPACE)
            self._ray.kill(actor, no_restart=False)
        except (self._ray.exceptions.RayError, ValueError):  # it is being restarted already
            pass


class RayPlacement:
    """The engine of a cluster on Ray; see `Placement`.

    Hosts run on the nodes that have the custom resource ``beamish_host``, if any node has it, and
    otherwise on all nodes.

    Args:
        address: The address of the Ray cluster.
        cluster: The name of the cluster.
        dsn: The connection string of the store, which each host gets.
    """

    def __init__(self, address: str, cluster: str, dsn: str) -> None:
        try:
            self._ray: Any = import_module("ray")
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "a cluster needs Ray and psycopg: pip install 'beamish[cluster]'", name="ray"
            ) from None
        self._address = address
        self._cluster = cluster
        self._dsn = dsn
        self._connected_here = False

    async def open(self, plans: list[HostPlan]) -> None:
        """Connect to Ray, and create the actors that do not exist."""
        await asyncio.to_thread(self._open, plans)

    def _open(self, plans: list[HostPlan]) -> None:
        ray = self._ray
        if not ray.is_initialized():
            ray.init(address=self._address, namespace=_NAMESPACE, log_to_driver=False)
            self._connected_here = True
        resources = {_RESOURCE: 0.001} if _RESOURCE in ray.cluster_resources() else {}
        actor = ray.remote(RayHost)
        for plan in plans:
            actor.options(
                name=_actor_name(self._cluster, plan.shard),
                namespace=_NAMESPACE,
                get_if_exists=True,
                lifetime="detached",
                max_restarts=-1,
                max_task_retries=0,  # a request that can have run is never sent again
                max_concurrency=_MAX_CONCURRENCY,
                num_cpus=0,
                resources=resources,
                scheduling_strategy="SPREAD",
            ).remote(plan, self._dsn)

    def connect(self, shard: int) -> RayPort:
        """Return the port of a shard."""
        return RayPort(self._ray, self._cluster, shard)

    async def nodes(self) -> list[NodeInfo]:
        """Return the nodes."""
        try:
            found = await asyncio.to_thread(self._ray.nodes)
        except self._ray.exceptions.RayError as error:
            raise HostLostError(str(error)) from error
        return [
            NodeInfo(node["NodeID"], node["NodeManagerAddress"], node["Alive"]) for node in found
        ]

    async def restart(self, shard: int) -> None:
        """End the host of a shard; Ray starts the next one."""
        await self.connect(shard).end()

    async def close(self) -> None:
        """Disconnect from Ray, if this program connected here."""
        if self._connected_here:
            await asyncio.to_thread(self._ray.shutdown)


def _actor_name(cluster: str, shard: int) -> str:
    return f"{cluster}.{shard}"
