"""`DynamicSupervisor`: masses of children that come and go, each restarted when it fails.

When not to use it: for a fixed set of children that depend on one another, `Supervisor` starts
them in order and knows strategies.

Source:
    Elixir's ``DynamicSupervisor``; `Backoff` and ``intensity="child"`` go beyond it.
"""

import asyncio
from typing import Any, ClassVar, Literal

from beamish import _checks
from beamish._runtime.runtime import running
from beamish._server.start import ServerStart
from beamish._supervision.dynamic import (
    DynamicSupervisorServer,
    DynamicSupervisorSpec,
    Intensity,
    OnGiveUp,
)
from beamish._supervision.refusals import Refused, ask
from beamish._supervision.specs import as_spec, check_intensity, check_spec_options, own_server
from beamish.child_spec import Backoff, ChildSpec
from beamish.errors import (
    ExitError,
)
from beamish.gen_server import GenServer
from beamish.pid import Dest, Name, Pid
from beamish.results import ChildInfo, Counts

_INTENSITIES = ("supervisor", "child")


class DynamicSupervisor:
    """Functions on dynamic supervisors, and the base of module-based ones.

    A subclass that defines ``init(self, ...)``, which returns ``DynamicSupervisor.spec(...)``, is
    started with the arguments of ``init``.
    """

    _server: ClassVar[type[DynamicSupervisorServer]] = DynamicSupervisorServer

    _spec_options: ClassVar[dict[str, Any]] = {"shutdown": None}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()
        cls._spec_options = cls._spec_options | check_spec_options(cls, options)
        cls._server = own_server(cls, cls._server)

    def init(self, *args: Any, **kwargs: Any) -> DynamicSupervisorSpec:
        """Return the options; to be defined by module-based supervisors."""
        return self.spec(*args, **kwargs)

    @staticmethod
    def spec(
        *,
        strategy: Literal["one_for_one"] = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        max_children: int | None = None,
        extra_arguments: tuple[Any, ...] = (),
        backoff: Backoff | None = None,
        intensity: Intensity = "supervisor",
        on_give_up: OnGiveUp | None = None,
    ) -> DynamicSupervisorSpec:
        """Check the options of a dynamic supervisor.

        Args:
            strategy: ``"one_for_one"``: children do not depend on one another.
            max_restarts: How many restarts within ``max_seconds`` are borne.
            max_seconds: The length of that window, in seconds.
            max_children: How many children there may be; ``None`` sets no limit.
            extra_arguments: Put before the arguments of every child.
            backoff: How long a crashed child waits before it restarts; ``None``: not at all.
            intensity: Who is given up when restarts are too many: the ``"supervisor"``, with all
                its children, as in OTP; or the ``"child"`` alone, whose restarts are counted for
                itself.
            on_give_up: With ``intensity="child"``, called as ``on_give_up(spec, pid, reason)``
                for a child that is given up; ``pid`` is its last.

        Raises:
            ValueError: An option has a value that is not allowed.

        Source:
            ``DynamicSupervisor.init/1``.
        """
        _checks.one_of("strategy", strategy, ("one_for_one",))
        check_intensity(max_restarts, max_seconds)
        if max_children is not None:
            _checks.count("max_children", max_children)
        _checks.one_of("intensity", intensity, _INTENSITIES)
        if backoff is not None and not isinstance(backoff, Backoff):
            raise ValueError(f"backoff must be a Backoff or None; got {backoff!r}")
        if on_give_up is not None and not callable(on_give_up):
            raise ValueError(f"on_give_up must be a function or None; got {on_give_up!r}")
        if isinstance(extra_arguments, str) or not isinstance(extra_arguments, tuple | list):
            raise ValueError(f"extra_arguments must be a tuple; got {extra_arguments!r}")
        return DynamicSupervisorSpec(
            max_restarts,
            max_seconds,
            max_children,
            tuple(extra_arguments),
            backoff,
            intensity,
            on_give_up,
        )

    @classmethod
    def _start_arguments(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        # The options of a plain supervisor are checked here, where they are given.
        if not cls._has_own_init():
            args, kwargs = (cls.spec(*args, **kwargs),), {}
        return cls, args, kwargs

    @classmethod
    def _has_own_init(cls) -> bool:
        """Say whether this is a module-based supervisor."""
        return cls.init is not DynamicSupervisor.init

    @classmethod
    async def start_link(cls, *args: Any, name: Name | None = None, **kwargs: Any) -> Pid:
        """Start a dynamic supervisor, linked to the calling process.

        Args:
            args: Of a module-based supervisor, what its ``init`` takes.
            name: Its local name or via name.
            kwargs: The options of `spec`; of a module-based supervisor, what its ``init`` takes.

        Raises:
            ValueError: A bad option.
            AlreadyStartedError: The name is taken.

        Source:
            ``DynamicSupervisor.start_link/1``.
        """
        return await cls._server.start_link(*cls._start_arguments(args, kwargs), name=name)

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        name: Name | None = None,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
        **kwargs: Any,
    ) -> ChildSpec:
        """Say how another supervisor starts this one; see `start_link` for the arguments."""
        arguments = cls._start_arguments(args, kwargs)
        chosen = id if id is not None else cls if name is None else name
        start = ServerStart(cls._server, name)
        return ChildSpec(chosen, start, arguments, type="supervisor", **cls._spec_options)

    @staticmethod
    async def start_child(supervisor: Dest, spec: Any) -> Pid:
        """Start a child under a dynamic supervisor.

        Returns once the child's ``init`` has returned. Children whose ``init`` waits start side
        by side.

        Args:
            supervisor: Pid or name of the supervisor.
            spec: How to start, stop and restart the child. Its ``id`` need not be unique here.

        Returns:
            The child's pid, already linked to the supervisor.

        Raises:
            MaxChildrenError: ``max_children`` children are running.
            AlreadyStartedError: Another process holds the child's name.
            IgnoredError: Its ``init`` returned `IGNORE`.
            StartError: ``init`` failed; ``reason`` says how. The spec is dropped.

        Source:
            ``DynamicSupervisor.start_child/2``. Differs: raises where Elixir returns
            ``{:error, reason}``; starts with a waiting ``init`` overlap.
        """
        if spec.__class__ is not ChildSpec:
            spec = as_spec(spec)
        reply: Any = await DynamicSupervisorServer.start_child(supervisor, spec)
        if reply.__class__ is not Pid and reply.__class__ is not Refused:
            reply = await _shielded(reply, supervisor)
        await running().notice_interruption()
        if reply.__class__ is Refused:
            reply.raise_error()
        pid: Pid = reply
        return pid

    @staticmethod
    async def terminate_child(supervisor: Dest, pid: Pid) -> None:
        """Stop a child, and wait until it is dead.

        Args:
            supervisor: Pid or name of the supervisor.
            pid: The child; of one that is being restarted, its last pid.

        Raises:
            NotFoundError: It is no child of this supervisor.

        Source:
            ``DynamicSupervisor.terminate_child/2``.
        """
        if not isinstance(pid, Pid):
            raise TypeError(f"a dynamic supervisor knows its children by pid; got {pid!r}")
        waits = await ask(supervisor, DynamicSupervisorServer.terminate_child, pid)
        if waits is not None:
            await asyncio.wait([waits])  # who gives up waiting does not stop the ending

    @staticmethod
    async def which_children(supervisor: Dest) -> list[ChildInfo]:
        """List the children, those that are being restarted included.

        Source:
            ``DynamicSupervisor.which_children/1``.
        """
        children: list[ChildInfo] = await ask(supervisor, DynamicSupervisorServer.which_children)
        return children

    @staticmethod
    async def count_children(supervisor: Dest) -> Counts:
        """Count the children.

        Source:
            ``DynamicSupervisor.count_children/1``.
        """
        counts: Counts = await ask(supervisor, DynamicSupervisorServer.count_children)
        return counts

    @staticmethod
    async def stop(supervisor: Dest, reason: Any = "normal", timeout: float | None = None) -> None:
        """Stop a dynamic supervisor; its children stop first, side by side.

        Source:
            ``DynamicSupervisor.stop/3``.
        """
        await GenServer.stop(supervisor, reason, timeout)


async def _shielded(future: asyncio.Future[Any], supervisor: Dest) -> Any:
    """Wait for what a supervisor starts; a caller that is cancelled does not cancel it."""
    await asyncio.wait([future])
    if future.cancelled():
        raise ExitError("shutdown", supervisor)
    return future.result()
