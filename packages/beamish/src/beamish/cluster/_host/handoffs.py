"""`Handoffs`: the states that a host stores when it leaves, and takes when it starts.

The rules:

1. A state is stored after its process has ended, and before the lease is given back. So no later
   owner starts the process before the state is there, and none starts it twice.
2. A state is taken before its process starts, by the epoch of the host. A later epoch does not get
   it: a process that has a state can have acted, which would make the state an old one.
3. A host that ends between the two leaves the state to the next one. A host that ends after it has
   taken a state loses it: the next process starts as after a crash.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from beamish.cluster._store.protocol import Child, Name, Store
from beamish.cluster.errors import StoreUnavailableError
from beamish.cluster.nodes import HostPlan, slots_of

_log = logging.getLogger("beamish")

# Of one statement. With the largest states, 50 of them are sent within its time limit.
MAX_BATCH = 50


class Host(Protocol):
    """The part of a host that is needed here."""

    plan: HostPlan
    epoch: int

    async def fenced(self, newest: bool) -> None:
        """End this program unless its epoch is the newest."""


class Handoffs:
    """Stores and takes states, for one host.

    Args:
        host: The host.
        store: The store of the cluster.
    """

    def __init__(self, host: Host, store: Store) -> None:
        self._host = host
        self._store = store
        self._states: dict[Name, bytes] = {}

    def add(self, states: Mapping[Name, bytes]) -> None:
        """Keep states until `flush`."""
        self._states.update(states)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return not self._states

    async def flush(self) -> None:
        """Store the states.

        Raises:
            StoreUnavailableError: The store does not answer; call it again for the rest.
        """
        shard, epoch = self._host.plan.shard, self._host.epoch
        while self._states:
            batch = {name: self._states[name] for name in list(self._states)[:MAX_BATCH]}
            await self._host.fenced(await self._store.hand_over(shard, epoch, batch))
            for name in batch:
                del self._states[name]

    async def take(self, children: Sequence[Child]) -> dict[Name, bytes]:
        """Take the states of children that this host starts next.

        Raises:
            StoreUnavailableError: The store does not answer; call it again.
        """
        found: dict[Name, bytes] = {}
        names = [child.name for child in children if child.has_state]
        for first in range(0, len(names), MAX_BATCH):
            batch = names[first : first + MAX_BATCH]
            taken = await self._store.take_states(self._host.plan.shard, self._host.epoch, batch)
            await self._host.fenced(taken is not None)
            found.update(taken or {})
        return found

    async def forget(self) -> None:
        """Delete the states that were taken. A failure costs only space in the store."""
        plan = self._host.plan
        slots = slots_of(plan.shard, plan.shards)
        try:
            newest = await self._store.forget_states(plan.shard, self._host.epoch, slots)
        except StoreUnavailableError as error:
            _log.warning("shard %d of %s: %s", plan.shard, plan.cluster, error)
        else:
            await self._host.fenced(newest)
