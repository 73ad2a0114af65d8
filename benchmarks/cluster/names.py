"""The named server of the benchmark, in a cluster and in one program; the hosts import this."""

import os
from typing import Any

from beamish import Application, ChildSpec, DynamicSupervisor, GenServer, Registry, call
from beamish.cluster import ClusterDynamicSupervisor, ClusterRegistry

REGISTRY = "names"
SUPERVISOR = "name supervisor"


class Named(GenServer, restart="transient"):
    """A server with a name and little else."""

    def __init__(self, key: str) -> None:
        self.key = key

    @call
    def os_pid(self) -> int:
        """Return the id of the process of the host."""
        return os.getpid()


class Names(Application):
    """The registry and the supervisor.

    Args:
        registry: `Registry` or `ClusterRegistry`.
        supervisor: `DynamicSupervisor` or `ClusterDynamicSupervisor`.
    """

    def __init__(self, registry: Any, supervisor: Any) -> None:
        self._registry = registry
        self._supervisor = supervisor

    def children(self) -> list[ChildSpec]:
        """List what to start."""
        return [
            self._registry.child_spec(name=REGISTRY, keys="unique"),
            self._supervisor.child_spec(name=SUPERVISOR),
        ]

    def via(self, key: str) -> Any:
        """Return the name of a key."""
        return self._registry.via(REGISTRY, key)

    async def open(self, key: str) -> None:
        """Start the server of a key."""
        spec = Named.child_spec(key, name=self.via(key))
        await self._supervisor.start_child(SUPERVISOR, spec)


def in_one_program() -> Names:
    """Return the application without a cluster."""
    return Names(Registry, DynamicSupervisor)


def in_a_cluster() -> Names:
    """Return the application of a cluster."""
    return Names(ClusterRegistry, ClusterDynamicSupervisor)
