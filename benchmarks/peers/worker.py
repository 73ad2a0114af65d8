"""Run one workload on one library and print its figures as a line of JSON.

Usage: ``python -m benchmarks.peers.worker LIBRARY WORKLOAD SERVERS OPERATIONS``
"""

import importlib
import json
import os
import sys
from typing import Any

from benchmarks.peers.peer import Peer
from benchmarks.peers.workloads import PeerWorkloads


def run_and_leave(name: str, workload: str, servers: str, operations: str) -> None:
    """Run the workload, print its figures and end the process from inside the workload."""
    peer: Peer[Any] = importlib.import_module(f"benchmarks.peers.with_{name}").peer()
    workloads = PeerWorkloads(peer, int(servers), int(operations))

    async def main() -> None:
        try:
            figures = await workloads.run(workload)
        finally:
            peer.stop()
        print(json.dumps(figures), flush=True)
        # At once: stopping a thousand servers in order is not part of a workload.
        os._exit(0)

    peer.run(main)


if __name__ == "__main__":
    run_and_leave(*sys.argv[1:])
