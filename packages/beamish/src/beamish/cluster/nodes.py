"""Facts about the nodes and shards of a cluster."""

import zlib
from dataclasses import dataclass
from typing import Literal

SLOTS = 16_384
"""The number of slots, the unit in which names are divided among shards."""


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One machine of a cluster.

    Args:
        id: Its id.
        address: Its network address.
        alive: Whether it is reachable; false for a node that was lost.
        shards: The shards whose hosts run there.
    """

    id: str
    address: str
    alive: bool
    shards: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """One shard of a cluster.

    Args:
        shard: Its number, from 0.
        node: The id of the node where its host runs, or ``None`` while there is none.
        epoch: The number of its host; each host has a higher one than the host before it.
        names: The number of names that have a process.
        state: ``"running"``; or ``"moving"`` while it has no host, or one that starts or leaves.
    """

    shard: int
    node: str | None
    epoch: int
    names: int
    state: Literal["running", "moving"]


@dataclass(frozen=True, slots=True)
class HostPlan:
    """How a host of a cluster starts.

    Args:
        cluster: The name of the cluster.
        shard: The shard of the host.
        shards: The number of shards.
        lease: Seconds for which a host can act without a renewal of its lease.
    """

    cluster: str
    shard: int
    shards: int
    lease: float


def slot_of(key: str) -> int:
    """Return the slot of a key; it never changes."""
    return zlib.crc32(key.encode()) % SLOTS


def shard_of(key: str, shards: int) -> int:
    """Return the shard of a key in a cluster of ``shards`` shards."""
    return slot_of(key) * shards // SLOTS


def slots_of(shard: int, shards: int) -> range:
    """Return the slots of a shard."""
    first, end = (-(-number * SLOTS // shards) for number in (shard, shard + 1))
    return range(first, end)
