"""`PartitionSupervisor`: the same child several times, each for a part of the keys.

When not to use it: to use more processors. All processes of an event loop share one thread; what
partitions spread is waiting: callers that queue at one server, a slow ``init`` that holds up the
next. A `DynamicSupervisor` whose children start at once needs none.

Source:
    Elixir's ``PartitionSupervisor``.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from beamish import _checks
from beamish._runtime import names
from beamish._server.start import ServerStart
from beamish._stable_hash import stable_hash, whole_number
from beamish._strategy import Strategy
from beamish._supervision.errors import Refused, ask
from beamish._supervision.specs import as_spec
from beamish._supervision.static import SupervisorServer, SupervisorSpec
from beamish.child_spec import ChildSpec
from beamish.errors import AlreadyStartedError, IgnoredError
from beamish.gen_server import call
from beamish.pid import Dest, Name, Pid, Via
from beamish.results import ChildInfo, Counts
from beamish.supervisor import Supervisor

__all__ = ["PartitionSupervisor"]

WithArguments: TypeAlias = Callable[[tuple[Any, ...], int], Sequence[Any]]


class PartitionSupervisorServer(SupervisorServer):
    """The process of a partition supervisor; who has a key is found out without asking it."""

    _beamish_name = "PartitionSupervisor"

    def __init__(self, spec: SupervisorSpec) -> None:
        super().__init__(Supervisor, (spec,), {})
        self._all = spec.children
        self.partitions: int = len(self._all)

    def holder(self, key: Any) -> Pid | None:
        """Find the process that has ``key``, if it runs."""
        if self.partitions == 0:
            return None
        child = self.children.get(partition_of(key, self.partitions))
        return child.pid if child is not None and child.pid is not None else None

    @call(timeout=None)
    async def resize(self, partitions: int) -> Any:
        """Let so many partitions run; reply how many did before, or a refusal."""
        before, most = self.partitions, len(self._all)
        if partitions > most:
            return Refused(
                ValueError(
                    f"partitions must be at most {most}, with which the supervisor was started; "
                    f"got {partitions!r}"
                )
            )
        if partitions < before:
            self.partitions = partitions  # before they stop, so that no key leads to them
        refused = await self._grow(range(before, partitions))
        for partition in reversed(range(partitions, before)):
            await self.terminate_child(partition)
        if refused is not None:
            return refused
        self.partitions = partitions
        return before

    async def _grow(self, partitions: range) -> Refused | None:
        """Start partitions; if one cannot start, stop those before it again."""
        for partition in partitions:
            if partition in self.children:
                reply = await self.restart_child(partition)
            else:  # a temporary child is forgotten when it stops
                reply = await self.start_child(self._all[partition])
            fine = (AlreadyStartedError, IgnoredError)
            if isinstance(reply, Refused) and not reply.because(*fine):
                for started in reversed(range(partitions.start, partition)):
                    await self.terminate_child(started)
                return reply
        return None


def partition_of(key: Any, partitions: int) -> int:
    """Say which of so many partitions has ``key``."""
    number = whole_number(key)
    return (stable_hash(key) if number is None else abs(number)) % partitions


def _server(supervisor: Dest) -> PartitionSupervisorServer:
    process = names.process_of(supervisor)
    server = getattr(process, "server", None)
    if not isinstance(server, PartitionSupervisorServer):
        raise TypeError(f"{supervisor!r} ({process.class_name()}) is not a PartitionSupervisor")
    return server


def _refuse(name: tuple[Dest, Any]) -> NoReturn:
    raise TypeError(f"PartitionSupervisor.via addresses a partition, and names nothing: {name!r}")


class PartitionSupervisor:
    """Functions on partition supervisors; every one takes the supervisor's name first."""

    @staticmethod
    async def start_link(
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
            partitions: How many; as many as there are processors, unless said otherwise.
            with_arguments: ``with_arguments(args, partition)`` gives the arguments of each
                partition, made of those of ``child_spec``.
            strategy: As are the others, an option of `Supervisor`.
            max_restarts: How many restarts within ``max_seconds`` are borne.
            max_seconds: The length of that window, in seconds.

        Raises:
            ValueError: A bad option.
            StartError: A partition failed to start.
            AlreadyStartedError: The name is taken.

        Source:
            ``PartitionSupervisor.start_link/1``.
        """
        names.check_name(name)
        specs = _partitions(child_spec, partitions, with_arguments)
        options = Supervisor.spec(
            specs, strategy=strategy, max_restarts=max_restarts, max_seconds=max_seconds
        )
        return await PartitionSupervisorServer.start_link(options, name=name)

    @staticmethod
    def child_spec(
        *,
        child_spec: Any,
        name: Name,
        partitions: int | None = None,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> ChildSpec:
        """Say how another supervisor starts this one; see `start_link` for the arguments."""
        names.check_name(name)
        specs = _partitions(child_spec, partitions, with_arguments)
        options = Supervisor.spec(
            specs, strategy=strategy, max_restarts=max_restarts, max_seconds=max_seconds
        )
        start = ServerStart(PartitionSupervisorServer, name)
        return ChildSpec(name, start, (options,), type="supervisor", shutdown=None)

    # -- Routing

    @staticmethod
    def via(supervisor: Dest, key: Any) -> Via:
        """Address the partition that has ``key``.

        A whole number goes by its absolute value modulo the number of partitions; any other key
        by a hash that is the same in every run. The same key has the same partition, but for
        `resize`.

        Raises:
            TypeError: ``key`` has no stable hash, such as an object that shows only its address.

        Source:
            ``{:via, PartitionSupervisor, {name, key}}``.
        """
        partition_of(key, 1)  # a key without a hash is a mistake here, not where it is used
        return Via(PartitionSupervisor, (supervisor, key))

    @staticmethod
    def whereis_name(name: tuple[Dest, Any]) -> Pid | None:
        """Say which process has a key; part of the name service that `via` uses."""
        supervisor, key = name
        return _server(supervisor).holder(key)

    @staticmethod
    def register_name(name: tuple[Dest, Any], pid: Pid) -> bool:
        """Refuse: partitions are found by their keys, and others cannot take their places."""
        return False if PartitionSupervisor.whereis_name(name) is not None else _refuse(name)

    @staticmethod
    def unregister_name(name: tuple[Dest, Any]) -> NoReturn:
        """Refuse, as `register_name`."""
        _refuse(name)

    # -- Looking after partitions

    @staticmethod
    async def partitions(supervisor: Dest) -> int:
        """Return the number of partitions.

        Source:
            ``PartitionSupervisor.partitions/1``.
        """
        return _server(supervisor).partitions

    @staticmethod
    async def resize(supervisor: Dest, partitions: int) -> int:
        """Stop the last partitions, or start them again, so that so many are left.

        Args:
            supervisor: Name of the supervisor.
            partitions: From 0 to as many as it was started with.

        Returns:
            How many there were before.

        Raises:
            ValueError: ``partitions`` is out of that range.
            StartError: A partition could not be started; there are as many as before.

        Source:
            ``PartitionSupervisor.resize!/2`` (Elixir 1.18).
        """
        _checks.count("partitions", partitions)
        _server(supervisor)  # others would crash for the unknown request
        before: int = await ask(supervisor, PartitionSupervisorServer.resize, partitions)
        return before

    @staticmethod
    async def which_children(supervisor: Dest) -> list[ChildInfo]:
        """List the partitions; the ids are their numbers.

        Source:
            ``PartitionSupervisor.which_children/1``.
        """
        return await Supervisor.which_children(supervisor)

    @staticmethod
    async def count_children(supervisor: Dest) -> Counts:
        """Count the partitions.

        Source:
            ``PartitionSupervisor.count_children/1``.
        """
        return await Supervisor.count_children(supervisor)

    @staticmethod
    async def stop(supervisor: Dest, reason: Any = "normal", timeout: float | None = None) -> None:
        """Stop the supervisor; its partitions stop first, the last one before the others.

        Source:
            ``PartitionSupervisor.stop/3``.
        """
        await Supervisor.stop(supervisor, reason, timeout)


def _partitions(
    child_spec: Any, partitions: int | None, with_arguments: WithArguments | None
) -> list[ChildSpec]:
    spec = as_spec(child_spec)
    if partitions is None:
        partitions = os.cpu_count() or 1
    _checks.count("partitions", partitions, least=1)
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
