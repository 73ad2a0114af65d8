"""Named, supervised processes over many machines: `Cluster` and its registry and supervisor.

Ray places the hosts of a cluster and detects their loss; PostgreSQL decides which host can act.

When not to use it: one machine is enough for a million processes, and needs neither.

Source:
    Erlang's distribution, and the registry and dynamic supervisor of Elixir's Horde. Differs: at
    most one process of a name acts, also during a partition.
"""

from beamish.cluster.cluster import Cluster
from beamish.cluster.dynamic_supervisor import ClusterDynamicSupervisor
from beamish.cluster.errors import StaleError, StoreUnavailableError
from beamish.cluster.fence import FENCE_SQL, Fence
from beamish.cluster.messages import NodeDown, NodeUp
from beamish.cluster.nodes import NodeInfo, ShardInfo
from beamish.cluster.registry import ClusterRegistry

__all__ = [
    "FENCE_SQL",
    "Cluster",
    "ClusterDynamicSupervisor",
    "ClusterRegistry",
    "Fence",
    "NodeDown",
    "NodeInfo",
    "NodeUp",
    "ShardInfo",
    "StaleError",
    "StoreUnavailableError",
]
