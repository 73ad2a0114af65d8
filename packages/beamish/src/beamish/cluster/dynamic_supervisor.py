"""`ClusterDynamicSupervisor`: children that run on the hosts of a cluster and outlive each of them.

When not to use it: for children that end with their program, `DynamicSupervisor` needs no store.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any, Literal

from beamish._server.start import ServerStart
from beamish._supervision.many import Intensity, OnGiveUp
from beamish._supervision.specs import as_spec
from beamish.child_spec import Backoff, ChildSpec
from beamish.cluster._node import members, wire
from beamish.cluster._node.declaration import Declared
from beamish.cluster._node.identity import Identity
from beamish.cluster.nodes import shard_of
from beamish.cluster.registry import ClusterRegistry
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import NotFoundError
from beamish.pid import Pid, Via
from beamish.results import ChildInfo, Counts


class ClusterDynamicSupervisor:
    """A supervisor whose children run where the shards of their names have their hosts.

    The store keeps the specification of each child until the child ends for good or is terminated.
    When a host is lost, the next host of its shard starts the same children. A child that crashes
    is restarted where it is; one that crashes too often is given up, and its siblings live on.

    Source:
        Elixir's ``DynamicSupervisor`` and ``Horde.DynamicSupervisor``.
    """

    @staticmethod
    def child_spec(
        *,
        name: str,
        strategy: Literal["one_for_one"] = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        max_children: int | None = None,
        backoff: Backoff | None = None,
        intensity: Intensity = "child",
        on_give_up: OnGiveUp | None = None,
    ) -> ChildSpec:
        """Return the child that declares a supervisor to the cluster.

        Every host then runs a supervisor of this name with these options; a host that runs already
        takes changed options at its next start.

        Args:
            name: Its name in the cluster, and the local name of the child.
            strategy: ``"one_for_one"``: children do not depend on one another.
            max_restarts: Maximum number of restarts within ``max_seconds``.
            max_seconds: The length of that window, in seconds.
            max_children: Maximum number of children on one host, which is that of one shard;
                ``None`` sets no limit. The next host of a shard starts all that are stored.
            backoff: The delay before a crashed child restarts; ``None`` sets no delay.
            intensity: What too many restarts end. The ``"child"``, whose restarts are counted
                separately: it is given up, and its siblings live on. Or the ``"supervisor"`` on
                that host, whose children's restarts are counted together: the host ends with all
                its names, and the next one starts them, over and over if that does not help.
            on_give_up: With ``intensity="child"``, called on the host as
                ``on_give_up(spec, pid, reason)`` for a child that is given up; a function at the
                top level of a module.

        Raises:
            ValueError: An option has a value that is not allowed.
            TypeError: Other hosts cannot import ``on_give_up``.
        """
        options: dict[str, Any] = {
            "max_restarts": max_restarts,
            "max_seconds": max_seconds,
            "max_children": max_children,
            "backoff": backoff,
            "intensity": intensity,
            "on_give_up": on_give_up,
        }
        DynamicSupervisor.spec(strategy=strategy, **options)
        if on_give_up is not None:
            _check_importable(on_give_up, "function")
        return Declared.child_spec("supervisor", name, options, name=name)

    @staticmethod
    async def start_child(supervisor: str, spec: Any) -> Pid:
        """Start a child on the host of its name.

        Returns once the child is stored and its ``init`` has returned.

        Args:
            supervisor: The name of the supervisor.
            spec: How to start the child: the ``child_spec`` of a `GenServer` with
                ``name=ClusterRegistry.via(...)``. Its arguments must be picklable, and its class
                importable on every host.

        Returns:
            The pid of the child. It stays valid until the child ends or moves; the via name stays
            valid longer.

        Raises:
            AlreadyStartedError: The name has a child already, with this pid.
            MaxChildrenError: The host has ``max_children`` children.
            StartError: ``init`` failed, for ``reason``. The child is not stored any longer.
            StoreUnavailableError: The store did not answer; the child can have been started.
            ExitError: The host was lost; the child can have been started. Try again: if it was,
                that raises AlreadyStartedError.
            NoProcessError: No such supervisor or registry was declared.
            TypeError: ``spec`` cannot be started on another host.
        """
        spec = as_spec(spec)
        registry, key = _name_of(spec)
        _check_importable(spec.start.cls, "class")
        member = members.current()
        shard = shard_of(key, member.shards)
        content = supervisor, wire.dump(spec)
        pid: Pid = await member.link(shard).ask("start", Identity(shard, registry, key), content)
        return pid

    @staticmethod
    async def terminate_child(supervisor: str, child: Via | Pid) -> None:
        """Stop a child for good; return when it is dead.

        Args:
            supervisor: The name of the supervisor.
            child: Its via name, or the pid that `start_child` returned.

        Raises:
            NotFoundError: There is no such child.
            StoreUnavailableError: The store did not answer.
            ExitError: The host was lost; the child can have been stopped.
        """
        member = members.current()
        if isinstance(child, Via) and child.service is ClusterRegistry:
            registry, key = child.name
            shard = shard_of(key, member.shards)
            identity = Identity(shard, registry, key)
        elif isinstance(child, Pid):
            identity = member.identity(child)
            if not identity.registry:
                raise NotFoundError(f"{child!r} is not a child of a cluster supervisor")
        else:
            raise TypeError(
                "a child must be given by its pid or by ClusterRegistry.via(registry, key); "
                f"got {child!r}"
            )
        assert isinstance(identity.home, int)  # noqa: S101 - a name belongs to a shard
        await member.link(identity.home).ask("terminate", identity, supervisor)

    @staticmethod
    async def which_children(supervisor: str) -> AsyncIterator[ChildInfo]:
        """Yield the children, shard by shard, each shard as it is when it is asked."""
        member = members.current()
        for shard in range(member.shards):
            for child in await member.query(shard, "children", supervisor):
                yield child

    @staticmethod
    async def count_children(supervisor: str) -> Counts:
        """Return the number of children, including those that are being restarted."""
        member = members.current()
        found = [await member.query(shard, "counts", supervisor) for shard in range(member.shards)]
        return Counts(
            sum(counts.specs for counts in found),
            sum(counts.active for counts in found),
            sum(counts.supervisors for counts in found),
            sum(counts.workers for counts in found),
        )


def _name_of(spec: ChildSpec) -> tuple[str, str]:
    start = spec.start
    name = start.name if isinstance(start, ServerStart) else None
    if not isinstance(name, Via) or name.service is not ClusterRegistry:
        raise TypeError(
            "a child of a cluster supervisor needs a name of a cluster registry, such as "
            f"{spec.id if isinstance(spec.id, str) else 'Account'}.child_spec(..., "
            f"name=ClusterRegistry.via(registry, key)); got {name!r}"
        )
    found: tuple[str, str] = name.name
    return found


def _check_importable(value: Any, kind: str) -> None:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", repr(value))
    if module == "__main__":
        raise TypeError(
            f"{name} is defined in __main__, which other hosts cannot import: move it "
            "to a module that is installed on every host"
        )
    found: Any = sys.modules.get(str(module))
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise TypeError(
            f"other hosts cannot import {module}.{name}: define the {kind} at "
            "the top level of its module"
        )
