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
from beamish._supervision.dynamic import (
    DynamicSupervisorServer,
    DynamicSupervisorSpec,
    Intensity,
    OnGiveUp,
)
from beamish._supervision.module_based import ModuleBased
from beamish._supervision.refusals import Refused, ask
from beamish._supervision.specs import as_spec, check_intensity
from beamish.child_spec import Backoff, ChildSpec
from beamish.errors import (
    ExitError,
)
from beamish.pid import Dest, Pid

_INTENSITIES = ("supervisor", "child")


class DynamicSupervisor(ModuleBased):
    """Functions on dynamic supervisors, and the base of module-based ones.

    A subclass that defines ``init(self, ...)``, which returns ``DynamicSupervisor.spec(...)``, is
    started with the arguments of ``init``.
    """

    _server: ClassVar[type[DynamicSupervisorServer]] = DynamicSupervisorServer

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
            ValueError: The child is ``significant``, which only a `Supervisor` heeds.

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


async def _shielded(future: asyncio.Future[Any], supervisor: Dest) -> Any:
    """Wait for what a supervisor starts; a caller that is cancelled does not cancel it."""
    await asyncio.wait([future])
    if future.cancelled():
        raise ExitError("shutdown", supervisor)
    return future.result()
