"""`ClusterRegistry`: names that are valid on every member of a cluster.

When not to use it: for processes that only their own program needs, `Registry` looks a name up
without a message.
"""

from collections.abc import AsyncIterator
from typing import Any, Literal

from beamish import _checks
from beamish.child_spec import ChildSpec
from beamish.cluster._node import members
from beamish.cluster._node.declaration import Declared
from beamish.cluster._node.identity import Identity
from beamish.cluster.nodes import shard_of
from beamish.pid import Pid, Via, checked_via
from beamish.registry import Registry

MAX_KEY_LENGTH = 500


class ClusterRegistry:
    """Processes of a cluster under unique keys: strings of 1 to 500 characters.

    Only `ClusterDynamicSupervisor.start_child` takes a name, on the host to whose shard the key
    belongs. A via name follows the name from host to host; a pid is one process on one host.

    Source:
        Elixir's ``Registry`` and ``Horde.Registry``. Differs: unique keys only, and strings only.
    """

    # For `names.take`: the local registry of the host adds the entry itself.
    notes_entries = True
    is_cluster_registry = True

    @staticmethod
    def child_spec(*, keys: Literal["unique"] = "unique", name: str) -> ChildSpec:
        """Return the child that declares a registry to the cluster.

        Every host then runs a registry of this name for the keys of its shard.

        Args:
            keys: ``"unique"``; a cluster has no other registries.
            name: Its name in the cluster, and the local name of the child.

        Raises:
            ValueError: ``keys`` has another value.
        """
        _checks.one_of("keys", keys, ("unique",))
        return Declared.child_spec("registry", name, {}, name=name)

    @staticmethod
    def via(registry: str, key: str) -> Via:
        """Return the via name for a key: a name for a child, and a destination.

        Raises:
            TypeError: ``key`` is not a string.
            ValueError: It is empty, or longer than 500 characters.
        """
        return checked_via(ClusterRegistry, (_text("registry", registry), _text("key", key)))

    @staticmethod
    async def whereis(registry: str, key: str) -> Pid | None:
        """Return the process that holds ``key`` now, or ``None``.

        Waits for the host of the key. A destination does not need it: use `via`.

        Raises:
            ExitError: The host was lost before it answered (reason ``"noconnection"``).
        """
        member = members.current()
        _text("registry", registry)
        shard = shard_of(_text("key", key), member.shards)
        if member.home == shard:
            return Registry.whereis(registry, key)
        identity = Identity(shard, registry, key)
        found: Pid | None = await member.link(shard).ask("whereis", identity)
        return found

    @staticmethod
    async def count(registry: str) -> int:
        """Return the number of names that have a process; each host is asked in turn."""
        member = members.current()
        counts = [await member.query(shard, "count", registry) for shard in range(member.shards)]
        return sum(counts)

    @staticmethod
    async def keys(registry: str) -> AsyncIterator[str]:
        """Yield the keys that have a process, shard by shard, each as it is when it is asked."""
        member = members.current()
        for shard in range(member.shards):
            for key in await member.query(shard, "keys", registry):
                yield key

    # -- The name service of `Via`

    @staticmethod
    def register_name(name: tuple[str, str], pid: Pid) -> bool:
        """Register ``pid``, which a supervisor starts on the host of the key.

        Raises:
            TypeError: This is not the host of the key.
        """
        member = members.current()
        if member.home != shard_of(name[1], member.shards):
            raise TypeError(
                f"the name {name[1]!r} of the cluster registry {name[0]!r} is taken on the host of "
                "its shard: start the process with ClusterDynamicSupervisor.start_child"
            )
        return Registry.register_name(name, pid)

    @staticmethod
    def unregister_name(name: tuple[str, str]) -> None:
        """Unregister a name on its host."""
        Registry.unregister_name(name)

    @staticmethod
    def whereis_name(name: tuple[str, str]) -> Pid | None:
        """Return the process that holds the name here, or the pid that leads to its host."""
        member = members.current()
        shard = shard_of(name[1], member.shards)
        if member.home == shard:
            return Registry.whereis_name(name)
        return member.pid(Identity(shard, *name))


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} of a cluster registry must be a string; got {value!r}")
    if not 0 < len(value) <= MAX_KEY_LENGTH:
        raise ValueError(
            f"{what} of a cluster registry must have 1 to {MAX_KEY_LENGTH} characters; "
            f"got {len(value)}"
        )
    if "\0" in value or _is_not_utf8(value):
        raise ValueError(f"{what} of a cluster registry must be valid text; got {value!r}")
    return value


def _is_not_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return True
    return False
