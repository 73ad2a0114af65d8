"""Run one workload on one Python implementation and print its figures as a line of JSON.

Usage: ``python -m benchmarks.worker COLUMN WORKLOAD SERVERS OPERATIONS``, where the column is
``asyncio``, ``beamish``, ``standard``, ``minimum in Python``, ``minimum in C`` or a variant.
"""

import asyncio
import importlib
import json
import os
import sys
from typing import Any

from benchmarks import variants
from benchmarks.implementation import Implementation
from benchmarks.plan import VARIANTS
from benchmarks.workloads import Workloads

_MODULES = {
    "asyncio": "by_hand",
    "standard": "standard",
    "minimum in Python": "minimum",
    "minimum in C": "minimum_in_c",
}


def implementation(name: str) -> Implementation[Any]:
    """Import what is measured, and nothing else: its memory is measured too."""
    for variant in VARIANTS:
        if variant == name:
            variants.prepare(variant)
    module = importlib.import_module(f"benchmarks.{_MODULES.get(name, 'ours')}")
    made: Implementation[Any] = module.implementation()
    return made


async def run_and_leave(name: str, workload: str, servers: str, operations: str) -> None:
    """Run the workload, print its figures and end the process from inside the workload."""
    measured = implementation(name)
    workloads = Workloads(measured, int(servers), int(operations))
    async with measured.running():
        print(json.dumps(await workloads.run(workload)), flush=True)
        # At once: stopping a million servers in order is not part of a workload.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(run_and_leave(*sys.argv[1:]))
