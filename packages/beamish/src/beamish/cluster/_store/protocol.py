"""`Store`: what a cluster keeps about its shards, its tree and its children.

Every method raises `StoreUnavailableError` if the store does not answer; the change can have been
made. A method that takes an ``epoch`` changes nothing if that is not the newest of the shard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Name(NamedTuple):
    """The name of a child: the registry and its key there."""

    registry: str
    key: str


class Claim(NamedTuple):
    """The result of a claim.

    Args:
        epoch: The epoch of the new owner.
        wait: Seconds until the lease of the owner before it is over. Until then, it can act.
    """

    epoch: int
    wait: float


class Declaration(NamedTuple):
    """A registry or a supervisor that every host runs.

    Args:
        kind: ``"registry"`` or ``"supervisor"``.
        name: Its name.
        options: Its pickled options.
    """

    kind: str
    name: str
    options: bytes


class Child(NamedTuple):
    """A child that must run.

    Args:
        name: Its name.
        supervisor: The name of its supervisor.
        spec: Its pickled specification.
        has_state: Whether its last process has handed over a state.
    """

    name: Name
    supervisor: str
    spec: bytes
    has_state: bool = False


@dataclass(frozen=True, slots=True)
class ShardRow:
    """The owner of a shard, as the store knows it.

    Args:
        shard: The shard.
        epoch: The epoch of the owner.
        lease_left: Seconds until its lease is over; negative after that.
        host: Where it runs, for people.
        node: The id of its node.
        running: The number of children that must run.
        given_up: The number of children that were given up after repeated crashes.
    """

    shard: int
    epoch: int
    lease_left: float
    host: str
    node: str
    running: int
    given_up: int


class Store(Protocol):
    """The store of one cluster."""

    async def prepare(self, shards: int) -> None:
        """Create what is missing, and set the number of shards.

        Raises:
            ValueError: The cluster runs with another number of shards.
        """

    async def declare(self, kind: str, name: str, options: bytes) -> None:
        """Store a registry or supervisor, in the place of an older declaration."""

    async def declarations(self) -> list[Declaration]:
        """Return the registries, then the supervisors."""
        ...

    async def claim(self, shard: int, lease: float, host: str, node: str) -> Claim:
        """Take a shard over: nothing that the owner before wrote with its epoch counts any longer.

        Returns once the transactions that have run `FENCE_SQL` with the old epoch are over.
        """
        ...

    async def renew(self, shard: int, epoch: int, lease: float) -> bool:
        """Extend the lease to ``lease`` seconds from now; return whether the epoch is the newest.

        A lease that is over, and that nobody else has claimed, is extended too.
        """
        ...

    async def release(self, shard: int, epoch: int) -> None:
        """End the lease now, so that the next owner waits for nothing."""

    async def add(self, shard: int, epoch: int, children: Sequence[Child]) -> set[Name] | None:
        """Store children; return the names that were free, or ``None`` if the epoch is old.

        A name whose child was given up is free.
        """

    async def drop(self, shard: int, epoch: int, names: Sequence[Name]) -> set[Name] | None:
        """Delete children; return the names that existed, or ``None`` if the epoch is old."""

    async def give_up(self, shard: int, epoch: int, reasons: Mapping[Name, str]) -> bool:
        """Mark children as given up; return whether the epoch is the newest."""
        ...

    # -- States that children hand over
    #
    # A state belongs to the next owner that takes it. Once taken, no later owner gets it: a process
    # that has it can have acted, and the state would be older than what that process has done.

    async def hand_over(self, shard: int, epoch: int, states: Mapping[Name, bytes]) -> bool:
        """Store the states of children; return whether the epoch is the newest."""
        ...

    async def take_states(
        self, shard: int, epoch: int, names: Sequence[Name]
    ) -> dict[Name, bytes] | None:
        """Take the states that no other epoch has taken, or ``None`` if the epoch is old.

        The same epoch can repeat it, for example if the answer was lost.
        """
        ...

    async def forget_states(self, shard: int, epoch: int, slots: range) -> bool:
        """Delete the states of these slots that were taken; return whether the epoch is newest."""
        ...

    async def children(self, slots: range) -> list[Child]:
        """Return the children of these slots that must run."""
        ...

    async def shards(self) -> list[ShardRow]:
        """Return the owners of all shards that ever had one."""
        ...

    async def close(self) -> None:
        """Close the connections."""
