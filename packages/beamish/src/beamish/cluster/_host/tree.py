"""`Tree`: the registries and supervisors that a host runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from beamish import process
from beamish.child_spec import ChildSpec
from beamish.cluster._host.supervisor import ShardSupervisor
from beamish.cluster._node import wire
from beamish.cluster._store.protocol import Declaration, Store
from beamish.errors import ExitError, NoProcessError
from beamish.gen_server import GenServer
from beamish.pid import Pid
from beamish.registry import Registry
from beamish.supervisor import Supervisor

_GROUPS = {"registry": "cluster.registries", "supervisor": "cluster.supervisors"}


class Tree:
    """The supervision tree of a host.

    Registries start before supervisors and stop after them. If one of either crashes, the tree
    ends: a supervisor cannot be restarted with its children, but the next host can.

    Args:
        store: The store of the cluster.
        failed: Called with the reason when the tree has ended by itself.
    """

    def __init__(self, store: Store, failed: Callable[[Any], None]) -> None:
        self._store = store
        self._failed = failed
        self._running: set[tuple[str, str]] = set()
        self._growing = asyncio.Lock()
        self._root: Pid | None = None
        self._started = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            async with process.attach():
                groups = [
                    Supervisor.child_spec([], max_restarts=0, name=name)
                    for name in _GROUPS.values()
                ]
                self._root = await Supervisor.start_link(groups, max_restarts=0)
                self._started.set()
                await asyncio.get_running_loop().create_future()
        except ExitError as error:
            if self._root is not None:
                self._failed(error.reason)

    async def start(self) -> None:
        """Start everything that is declared."""
        await self._started.wait()
        async with self._growing:
            await self._grow()

    async def ensure(self, kind: str, name: str) -> None:
        """Start what is declared, unless ``name`` runs already.

        Raises:
            NoProcessError: It is not declared.
        """
        if (kind, name) not in self._running:
            async with self._growing:
                await self._grow()
        if (kind, name) not in self._running:
            raise NoProcessError(
                name,
                f"no cluster {kind} {name!r} is declared; add its child_spec(name={name!r}) to the "
                "children of the application",
            )

    async def _grow(self) -> None:
        for declared in await self._store.declarations():
            if (declared.kind, declared.name) not in self._running:
                await Supervisor.start_child(_GROUPS[declared.kind], _spec_of(declared))
                self._running.add((declared.kind, declared.name))

    def names(self, kind: str) -> list[str]:
        """Return the names of the running registries or supervisors."""
        return [name for running, name in self._running if running == kind]

    async def stop(self) -> None:
        """Stop the children, then the registries; each ``terminate`` runs."""
        root, self._root = self._root, None
        if root is not None:
            await GenServer.stop(root, "shutdown")
        await asyncio.wait([self._task])


def _spec_of(declared: Declaration) -> ChildSpec:
    if declared.kind == "registry":
        return Registry.child_spec(keys="unique", name=declared.name)
    options = wire.load(declared.options)
    return ShardSupervisor.child_spec(name=declared.name, **options)
