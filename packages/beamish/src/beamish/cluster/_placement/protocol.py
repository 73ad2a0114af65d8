"""`Placement`: the engine that runs the hosts of a cluster and detects their loss."""

from typing import Protocol

from beamish.cluster._node.port import Port
from beamish.cluster.nodes import HostPlan, NodeInfo


class Placement(Protocol):
    """The engine of one cluster, as one program sees it.

    It runs one host for each shard. When a host or its node is lost, it fails all requests to that
    host with `HostLostError`, and starts the next one elsewhere. It can be wrong about a loss: the
    lost host can still run, and the store then ends it.
    """

    async def open(self, plans: list[HostPlan]) -> None:
        """Connect, and start the hosts that do not run."""

    def connect(self, shard: int) -> Port:
        """Return the port of a shard, which leads to its present host."""
        ...

    async def nodes(self) -> list[NodeInfo]:
        """Return the nodes, without their shards."""
        ...

    async def restart(self, shard: int) -> None:
        """End the host of a shard, which has left, and start the next one elsewhere."""

    async def close(self) -> None:
        """Disconnect; the hosts run on."""
