"""The simulated engine: places hosts on machines, detects their loss, and starts the next ones."""

import asyncio
from contextvars import Context
from typing import Any, cast

from beamish.cluster._host.host import ShardHost
from beamish.cluster._node.port import RemotePort
from beamish.cluster._store.memory import MemoryStore
from beamish.cluster._store.protocol import Store
from beamish.cluster.errors import HostLostError, StoreUnavailableError
from beamish.cluster.nodes import HostPlan, NodeInfo
from beamish.testing.cluster.network import Network
from beamish.testing.cluster.world import Machine, MachineLoop, World

_CHECK_SECONDS = 0.25
_STORE_TIMEOUT_SECONDS = 3.0


class _Place:
    """One host, from its start to its end."""

    def __init__(self, plan: HostPlan, loop: MachineLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.host: ShardHost | None = None
        self.started: asyncio.Future[ShardHost] = loop.create_future()


class SimulatedStore:
    """The way of one program to the store, whose methods it has; see `Store`.

    Args:
        memory: The store.
        loop: The program that runs the store.
        network: The connections.
    """

    def __init__(self, memory: MemoryStore, loop: MachineLoop, network: Network) -> None:
        self._memory = memory
        self._loop = loop
        self._network = network

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._memory, name)

        async def request(*args: Any) -> Any:
            try:
                return await self._network.request(
                    self._loop, lambda: method(*args), _STORE_TIMEOUT_SECONDS
                )
            except HostLostError as error:
                raise StoreUnavailableError(str(error)) from error

        return request

    async def close(self) -> None:
        """Do nothing: the store runs on."""


class SimulatedPort(RemotePort):
    """The requests to the host of one shard; see `Port`.

    Args:
        engine: The engine.
        shard: The shard.
    """

    def __init__(self, engine: "SimulatedEngine", shard: int) -> None:
        self._engine = engine
        self._shard = shard

    async def _request(self, method: str, *args: Any) -> Any:
        place = self._engine.places.get(self._shard)
        if place is None:
            raise HostLostError("the shard has no host")

        async def call() -> Any:
            host = await asyncio.shield(place.started)
            return await getattr(host, method)(*args)

        return await self._engine.network.request(place.loop, call)


class SimulatedEngine:
    """The engine of a simulated cluster; see `Placement`.

    A task on the machine ``"head"`` looks at the nodes. A node that it has not reached for
    ``detection`` seconds is lost to it, whether the node still runs or not.

    Args:
        world: The machines.
        network: The connections.
        store: The machine and event loop of the store.
        detection: Seconds without contact after which a node is lost.
    """

    def __init__(
        self,
        world: World,
        network: Network,
        memory: MemoryStore,
        store: MachineLoop,
        detection: float,
    ) -> None:
        self.network = network
        self.memory = memory
        self.places: dict[int, _Place] = {}
        self.nodes_by_name: dict[str, Machine] = {}
        self._lost: set[str] = set()
        self._silent_since: dict[str, float] = {}
        self._plans: list[HostPlan] = []
        self._world = world
        self._store = store
        self._detection = detection
        self._head = MachineLoop(world, world.add("head"))
        self._head.call_soon(self._watch)

    def store(self) -> Store:
        """Return a way to the store."""
        # Its methods are those of the memory's store: `__getattr__` finds them.
        return cast("Store", SimulatedStore(self.memory, self._store, self.network))

    # -- For programs; see `Placement`

    async def open(self, plans: list[HostPlan]) -> None:
        """Start the hosts that do not run."""
        self._plans = plans
        for plan in plans:
            if plan.shard not in self.places:
                self._start(plan)

    def connect(self, shard: int) -> SimulatedPort:
        """Return the port of a shard."""
        return SimulatedPort(self, shard)

    async def nodes(self) -> list[NodeInfo]:
        """Return the nodes."""
        return [NodeInfo(name, name, name not in self._lost) for name in self.nodes_by_name]

    async def restart(self, shard: int) -> None:
        """End a host that has left, and start the next one elsewhere."""
        place = self.places[shard]
        self.end(place, "it was moved")
        self._start(place.plan, avoid=place.loop.machine.name)

    async def close(self) -> None:
        """Do nothing: the hosts run on."""

    # -- Hosts

    def _start(self, plan: HostPlan, avoid: str = "") -> None:
        machines = [
            machine
            for machine in self.nodes_by_name.values()
            if machine.is_alive and machine.name not in self._lost
        ]
        others = [machine for machine in machines if machine.name != avoid] or machines
        if not others:
            self.places.pop(plan.shard, None)  # `_watch` starts it on the next node
            return
        fewest = min(others, key=lambda machine: (len(machine.loops), machine.name))
        loop = MachineLoop(self._world, fewest)
        place = self.places[plan.shard] = _Place(plan, loop)
        loop.call_later(0.1 + self._world.random.random() / 2, self._boot, place, context=Context())

    def _boot(self, place: _Place) -> None:
        name = place.loop.machine.name
        place.host = ShardHost(
            place.plan,
            self.store(),
            self.connect,
            lambda why: self._ended(place, why),
            address=name,
            node=name,
        )
        place.started.set_result(place.host)

    def end(self, place: _Place, why: str) -> None:
        """End the program of a host at once."""
        self._world.end(place.loop)
        self.network.break_requests(place.loop, why)

    def _ended(self, place: _Place, why: str) -> None:
        self.end(place, why)
        if self.places.get(place.plan.shard) is place:
            del self.places[place.plan.shard]  # `_watch` starts the next one

    # -- Detection

    def _watch(self) -> None:
        now = self._world.clock.now
        for name, machine in self.nodes_by_name.items():
            contact = (
                machine.is_alive
                and not self._world.is_paused(machine)
                and self.network.reaches(self._head.machine, machine)
            )
            if contact:
                self._silent_since.pop(name, None)
                if machine.is_alive:
                    self._lost.discard(name)
            elif now - self._silent_since.setdefault(name, now) > self._detection:
                self._lose(name)
        for plan in self._plans:
            place = self.places.get(plan.shard)
            if place is None or place.loop not in place.loop.machine.loops:
                self._start(plan)
        self._head.call_later(_CHECK_SECONDS, self._watch)

    def _lose(self, name: str) -> None:
        """Mark a node as lost: its hosts are started elsewhere, although they can still run."""
        self._lost.add(name)
        for shard, place in list(self.places.items()):
            if place.loop.machine.name == name:
                del self.places[shard]
                self.network.break_requests(place.loop, "the node is lost")
