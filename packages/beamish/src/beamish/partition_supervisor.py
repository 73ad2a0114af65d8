"""`PartitionSupervisor`: runs the same child several times, each for a part of the keys.

When not to use it: to use more processors. All processes of an event loop share one thread.
Partitions help where callers wait: they queue at one server, or a slow ``init`` delays the next. A
`DynamicSupervisor` whose children start without suspending needs no partitions.

Source:
    Elixir's ``PartitionSupervisor``.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from beamish import _checks
from beamish._runtime import names
from beamish._server.base import behaviour
from beamish._server.methods import call
from beamish._stable_hash import stable_hash, whole_number
from beamish._strategy import Strategy
from beamish._supervision.ordered import OrderedChildren, SupervisorSpec
from beamish._supervision.specs import as_spec
from beamish.child_spec import ChildSpec
from beamish.errors import AlreadyStartedError, IgnoredError
from beamish.pid import Dest, Name, Pid, Via
from beamish.results import Fail
from beamish.supervisor import Supervisor

__all__ = ["PartitionSupervisor"]

WithArguments: TypeAlias = Callable[[tuple[Any, ...], int], Sequence[Any]]


def partition_of(key: Any, partitions: int) -> int:
    """Return the number of the partition that has ``key``."""
    number = whole_number(key)
    return (stable_hash(key) if number is None else abs(number)) % partitions


def _server(supervisor: Dest) -> "PartitionSupervisor":
    process = names.process_of(supervisor)
    server = getattr(process, "server", None)
    if not isinstance(server, PartitionSupervisor):
        raise TypeError(f"{supervisor!r} ({process.class_name()}) is not a PartitionSupervisor")
    return server


def _not_registrable(name: tuple[Dest, Any]) -> NoReturn:
    raise TypeError(
        f"a PartitionSupervisor.via is only a destination; no process can take it as its name, got "
        f"{name!r}"
    )


@behaviour
class PartitionSupervisor(OrderedChildren):
    """A supervisor of partitions; its functions take the supervisor's name first."""

    async def _begin(self, spec: SupervisorSpec) -> Any:
        self._all: tuple[ChildSpec, ...] = spec.children
        self._count: int = len(self._all)
        return await super()._begin(spec)

    def _holder(self, key: Any) -> Pid | None:
        """Return the partition that has ``key``, or ``None`` if it is not running."""
        if self._count == 0:
            return None
        child = self._children.get(partition_of(key, self._count))
        return child.pid if child is not None and child.pid is not None else None

    # -- Starting

    @classmethod
    async def start_link(
        cls,
        *,
        child_spec: Any,
        name: Name,
        partitions: int | None = None,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> Pid:
        """Start a partition supervisor and its partitions, linked to the calling process.

        Args:
            child_spec: How to start one partition: a `ChildSpec`, or a class that starts without
                arguments. The ids are the numbers of the partitions, from 0 on.
            name: Its local name or via name, which `via` needs.
            partitions: Number of partitions. Default: the number of processors.
            with_arguments: ``with_arguments(args, partition)`` returns the arguments of each
                partition, made of those of ``child_spec``.
            strategy: The strategy of `Supervisor`.
            max_restarts: Maximum number of restarts within ``max_seconds``.
            max_seconds: The length of that window, in seconds.

        Raises:
            ValueError: An option is invalid.
            StartError: A partition failed to start.
            AlreadyStartedError: The name is taken.

        Source:
            ``PartitionSupervisor.start_link/1``.
        """
        names.check_name(name)
        return await super().start_link(
            child_spec=child_spec,
            name=name,
            partitions=partitions,
            with_arguments=with_arguments,
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    @classmethod
    def child_spec(  # type: ignore[override] # its own options only
        cls,
        *,
        child_spec: Any,
        name: Name,
        partitions: int | None = None,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> ChildSpec:
        """Return how another supervisor starts this one; see `start_link` for the arguments."""
        names.check_name(name)
        return super().child_spec(
            child_spec=child_spec,
            name=name,
            partitions=partitions,
            with_arguments=with_arguments,
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    @staticmethod
    def spec(
        *,
        child_spec: Any,
        partitions: int | None = None,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> SupervisorSpec:
        """Check the options of a partition supervisor; see `start_link`."""
        return Supervisor.spec(
            _partitions(child_spec, partitions, with_arguments),
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    # -- Routing

    @staticmethod
    def via(supervisor: Dest, key: Any) -> Via:
        """Return the destination of the partition that has ``key``.

        For a whole number, that is its absolute value modulo the number of partitions; for any
        other key, a hash that is the same in every run of the program. A key has the same
        partition until `resize`.

        Raises:
            TypeError: ``key`` has no stable hash, such as an object whose ``repr`` is its address.

        Source:
            ``{:via, PartitionSupervisor, {name, key}}``.
        """
        partition_of(key, 1)  # raises here, not where the name is used
        return Via(PartitionSupervisor, (supervisor, key))

    @staticmethod
    def whereis_name(name: tuple[Dest, Any]) -> Pid | None:
        """Return the process that has a key; part of the name service that `via` uses."""
        supervisor, key = name
        return _server(supervisor)._holder(key)

    @staticmethod
    def register_name(name: tuple[Dest, Any], pid: Pid) -> bool:
        """Return False if the partition runs; otherwise raise: no process can take its name."""
        running = PartitionSupervisor.whereis_name(name) is not None
        return False if running else _not_registrable(name)

    @staticmethod
    def unregister_name(name: tuple[Dest, Any]) -> NoReturn:
        """Raise, because no process can have such a name."""
        _not_registrable(name)

    # -- Managing partitions

    @staticmethod
    async def partitions(supervisor: Dest) -> int:
        """Return the number of partitions.

        Source:
            ``PartitionSupervisor.partitions/1``.
        """
        return _server(supervisor)._count

    @staticmethod
    async def resize(supervisor: Dest, partitions: int) -> int:
        """Set the number of partitions: stop the last ones, or start them again.

        Args:
            supervisor: Name of the supervisor.
            partitions: From 0 to the number that it was started with.

        Returns:
            The previous number.

        Raises:
            ValueError: ``partitions`` is out of that range.
            StartError: A partition failed to start; the number is unchanged.

        Source:
            ``PartitionSupervisor.resize!/2`` (Elixir 1.18).
        """
        _checks.count("partitions", partitions)
        _server(supervisor)  # raises a clear error if it is not a partition supervisor
        return await PartitionSupervisor._resize(supervisor, partitions)

    @call(timeout=None)
    async def _resize(self, partitions: int) -> int:
        before, most = self._count, len(self._all)
        if partitions > most:
            return Fail(
                ValueError(
                    f"partitions must be at most {most}, with which the supervisor was started; "
                    f"got {partitions!r}"
                )
            )
        if partitions < before:
            self._count = partitions  # first, so that no key leads to a partition that stops
        failed = await self._grow(range(before, partitions))
        for partition in reversed(range(partitions, before)):
            await self._stop_child(partition)
        if failed is not None:
            return failed
        self._count = partitions
        return before

    async def _grow(self, partitions: range) -> Fail | None:
        """Start partitions; if one fails to start, stop those before it again."""
        for partition in partitions:
            if partition in self._children:
                reply = await self._start_again(partition)
            else:  # a temporary child is forgotten when it stops
                reply = await self._add(self._all[partition])
            accepted = (AlreadyStartedError, IgnoredError)
            if isinstance(reply, Fail) and not isinstance(reply.error, accepted):
                for started in reversed(range(partitions.start, partition)):
                    await self._stop_child(started)
                return reply
        return None


def _partitions(
    child_spec: Any, partitions: int | None, with_arguments: WithArguments | None
) -> list[ChildSpec]:
    spec = as_spec(child_spec)
    if partitions is None:
        partitions = os.cpu_count() or 1
    _checks.count("partitions", partitions, minimum=1)
    if with_arguments is not None and not callable(with_arguments):
        raise TypeError(
            "with_arguments must be a function of the arguments and the number of the partition; "
            f"got {with_arguments!r}"
        )
    return [
        spec.replace(id=partition, args=_arguments(spec.args, partition, with_arguments))
        for partition in range(partitions)
    ]


def _arguments(
    args: tuple[Any, ...], partition: int, with_arguments: WithArguments | None
) -> tuple[Any, ...]:
    if with_arguments is None:
        return args
    made = with_arguments(args, partition)
    if not isinstance(made, tuple | list):
        raise TypeError(
            f"with_arguments must return the arguments as a tuple; for partition {partition} it "
            f"returned {made!r}"
        )
    return tuple(made)
