"""Run one workload on one Python implementation and print its figures as a line of JSON.

Usage: ``python -m benchmarks.worker asyncio|beamish WORKLOAD SERVERS OPERATIONS``
"""

import asyncio
import importlib
import json
import os
import sys
from typing import Any

from benchmarks.implementation import Implementation
from benchmarks.workloads import Workloads

MODULES = {"asyncio": "benchmarks.by_hand", "beamish": "benchmarks.ours"}


async def run_and_leave(name: str, workload: str, servers: str, operations: str) -> None:
    """Run the workload, print its figures and end the process from inside the workload."""
    # Only the one measured is imported: its memory is measured too.
    implementation: Implementation[Any] = importlib.import_module(MODULES[name]).implementation()
    workloads = Workloads(implementation, int(servers), int(operations))
    async with implementation.running():
        print(json.dumps(await workloads.run(workload)), flush=True)
        # At once: taking a million servers down in order is no part of a workload.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(run_and_leave(*sys.argv[1:]))
