"""Three nodes of Ray on this machine; the one that runs a tracker is killed.

Run it: ``PYTHONPATH=examples/cluster python examples/cluster/kill_a_node.py postgresql://…``
"""

import asyncio
import sys
from typing import Any

from payments import REGISTRY, TransactionTracker, TransactionTrackerApplication
from ray.cluster_utils import Cluster as LocalRay

from beamish import ExitError, process
from beamish.cluster import Cluster, ClusterRegistry

SHARDS = 4
TRANSACTION = "txn_01dp371w0fnjhf9z2tjebx4vr4"
# Notice a lost node within seconds.
DETECTION = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}


def three_nodes() -> tuple[Any, dict[str, Any]]:
    """Start Ray's head and three nodes that can run hosts."""
    small: dict[str, Any] = {"object_store_memory": 80 * 2**20}
    head = {**small, "num_cpus": 0, "include_dashboard": False, "_system_config": DETECTION}
    local = LocalRay(initialize_head=True, head_node_args=head)
    nodes = [local.add_node(num_cpus=1, resources={"beamish_host": 1}, **small) for _ in range(3)]
    return local, {node.node_id: node for node in nodes}


async def describe() -> str:
    """Ask the tracker by its name, again while its host is being replaced."""
    name = ClusterRegistry.via(REGISTRY, TRANSACTION)
    while True:
        try:
            return await TransactionTracker.describe(name)
        except ExitError as error:
            if error.reason not in ("noconnection", "timeout"):
                raise
            await asyncio.sleep(0.1)


async def main(store: str) -> None:
    local, nodes = three_nodes()
    joined = Cluster.join("payments", store=store, shards=SHARDS, address=local.address)
    async with joined as cluster, TransactionTrackerApplication(), process.attach():
        pid = await TransactionTracker.start(TRANSACTION)
        assert await TransactionTracker.lookup(TRANSACTION) is pid
        print(await describe())

        shard = int(str(pid).split("<")[1].split(".")[0])
        node = (await cluster.shards())[shard].node
        process.monitor(pid)
        local.remove_node(nodes[str(node)], allow_graceful=False)
        print((await process.receive()).reason)
        print(await describe())
    local.shutdown()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
