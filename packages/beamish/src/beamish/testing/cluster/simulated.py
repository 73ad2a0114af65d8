"""`simulate_cluster`, and the faults of a `SimulatedCluster`."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from beamish import _checks
from beamish.cluster._store.memory import MemoryStore
from beamish.cluster.cluster import Cluster
from beamish.errors import NotFoundError
from beamish.testing.cluster.engine import SimulatedEngine
from beamish.testing.cluster.network import Network
from beamish.testing.cluster.world import Machine, MachineLoop, World, WorldLoop
from beamish.testing.simulation import run
from beamish.testing.trace import Trace

T = TypeVar("T")

_NAME = "simulated"


class SimulatedCluster:
    """A cluster of simulated machines, and the faults that can happen to them.

    The machines are the nodes ``"node-1"``, ``"node-2"`` and so on, ``"program"``, ``"head"``,
    which places the hosts, and ``"store"``.

    Attributes:
        store: The content of the store, for assertions.
    """

    def __init__(
        self, world: World, nodes: int, shards: int, lease: float, loss: float, detection: float
    ) -> None:
        self._world = world
        self._shards = shards
        self._lease = lease
        self._network = Network(world, loss)
        self.store: MemoryStore = MemoryStore(lambda: world.clock.now)
        store = MachineLoop(world, world.add("store"))
        self._engine = SimulatedEngine(world, self._network, self.store, store, detection)
        for _ in range(nodes):
            self.add_node()

    def join(self) -> AbstractAsyncContextManager[Cluster]:
        """Join the cluster, which the first program starts; see `Cluster.join`."""
        return Cluster.join(
            _NAME,
            store=self._engine.store(),
            shards=self._shards,
            lease=self._lease,
            placement=self._engine,
        )

    @property
    def now(self) -> float:
        """Seconds since the start of the simulation."""
        return self._world.clock.now

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes that were not killed."""
        machines = self._engine.nodes_by_name.values()
        return [machine.name for machine in machines if machine.is_alive]

    def node_of(self, shard: int) -> str | None:
        """Return the node of the host of a shard, or ``None`` while it has none."""
        place = self._engine.places.get(shard)
        return None if place is None else place.loop.machine.name

    # -- Faults

    def add_node(self) -> str:
        """Add a node; return its name."""
        name = f"node-{len(self._engine.nodes_by_name) + 1}"
        self._engine.nodes_by_name[name] = self._world.add(name)
        return name

    def kill(self, node: str) -> None:
        """End a node and all that runs on it, as a power failure does."""
        machine = self._machine(node)
        machine.is_alive = False
        for loop in list(machine.loops):
            self._world.end(loop)
            self._network.break_requests(loop, "connection reset")

    def kill_host(self, shard: int) -> None:
        """End the program of a host, as ``kill -9`` does."""
        place = self._engine.places.get(shard)
        if place is not None:
            self._engine.end(place, "connection reset")

    def pause(self, machine: str, seconds: float) -> None:
        """Run nothing on a machine for ``seconds``, as ``SIGSTOP`` does; its clock goes on."""
        _checks.seconds("seconds", seconds)
        self._machine(machine).paused_until = self.now + seconds

    def cut(self, first: str, second: str) -> None:
        """Drop all messages between two machines until `heal`."""
        self._network.cut(self._machine(first).name, self._machine(second).name)

    def heal(self, first: str, second: str) -> None:
        """Undo `cut`."""
        self._network.heal(first, second)

    def _machine(self, name: str) -> Machine:
        machine = self._world.machines.get(name)
        if machine is None:
            known = ", ".join(self._world.machines)
            raise NotFoundError(f"the simulation has no machine {name!r}; it has {known}")
        return machine


def simulate_cluster(
    main: Callable[[SimulatedCluster], Awaitable[T]],
    seed: int = 0,
    *,
    nodes: int = 3,
    shards: int = 4,
    lease: float = 2.0,
    loss: float = 0.0,
    detection: float = 1.5,
    max_steps: int = 2_000_000,
    trace: Callable[[str], object] | None = None,
) -> T:
    """Run ``main(cluster)`` and the hosts of its cluster on a virtual clock.

    The rules of `beamish.testing.simulate` apply. Each host has an event loop of its own, so that
    a paused or killed machine stops between two of its steps.

    Args:
        main: An async function of a `SimulatedCluster`. Its task is a process of a program that
            can join the cluster.
        seed: Any integer from 0; it decides the order, the delays and the losses.
        nodes: The number of machines for hosts.
        shards: The number of shards.
        lease: Seconds for which a host acts without an answer of the store.
        loss: The share of requests whose connection breaks, from 0 to 1.
        detection: Seconds without contact after which the engine gives a node up.
        max_steps: Maximum number of steps of all machines.
        trace: As in `beamish.testing.simulate`.

    Returns:
        The result of ``main``.

    Raises:
        Exception: As `beamish.testing.simulate`.
    """
    _checks.count("seed", seed)
    _checks.count("nodes", nodes, minimum=1)
    _checks.count("max_steps", max_steps, minimum=1)
    if not 0 <= loss <= 1:
        raise ValueError(f"loss must be a share from 0 to 1; got {loss!r}")
    steps = Trace(trace)
    world = World(random.Random(seed), steps)  # noqa: S311 - not a secret

    def make_loop() -> asyncio.AbstractEventLoop:
        return WorldLoop(world, world.add("program"), max_steps)

    async def simulated() -> T:
        return await main(SimulatedCluster(world, nodes, shards, lease, loss, detection))

    return run(simulated, seed, steps, make_loop)
