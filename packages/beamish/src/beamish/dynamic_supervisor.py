"""`DynamicSupervisor`: starts many children on demand, and restarts each when it fails.

When not to use it: for a fixed set of children that depend on one another, `Supervisor` starts
them in order and has strategies.

Source:
    Elixir's ``DynamicSupervisor``; `Backoff` and ``intensity="child"`` go beyond it.
"""

from typing import Any, Literal

from beamish import _checks
from beamish._server.base import behaviour
from beamish._server.methods import checked_call
from beamish._supervision.many import DynamicSupervisorSpec, Intensity, ManyChildren, OnGiveUp
from beamish._supervision.specs import as_spec, check_intensity
from beamish.child_spec import Backoff
from beamish.pid import Pid

_INTENSITIES = ("supervisor", "child")


@behaviour
class DynamicSupervisor(ManyChildren):
    """A supervisor of children that are started on demand, and the base of module-based ones.

    A subclass that defines ``init(self, ...)``, which returns ``DynamicSupervisor.spec(...)``, is
    started with the arguments of ``init``; otherwise ``start_link`` and ``child_spec`` take what
    `spec` takes. The client functions take the supervisor's pid or name first.
    """

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
            max_restarts: Maximum number of restarts within ``max_seconds``.
            max_seconds: The length of that window, in seconds.
            max_children: Maximum number of children; ``None`` sets no limit.
            extra_arguments: Arguments that precede the arguments of every child.
            backoff: The delay before a crashed child restarts; ``None`` sets no delay.
            intensity: What too many restarts end: the ``"supervisor"`` with all its children, as
                in OTP; or only the ``"child"``, whose restarts are then counted separately.
            on_give_up: With ``intensity="child"``, called as ``on_give_up(spec, pid, reason)``
                for a child that is given up; ``pid`` is its last pid.

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

    @checked_call(as_spec, timeout=None)
    def start_child(self, spec: Any) -> Pid:
        """Start a child under a dynamic supervisor.

        Returns once the child's ``init`` has returned. Children whose ``init`` suspends start
        concurrently. Cancelling the caller does not cancel the start.

        Args:
            spec: How to start, stop and restart the child: a `ChildSpec`, or a class that starts
                without arguments. Its ``id`` need not be unique here.

        Returns:
            The child's pid, already linked to the supervisor.

        Raises:
            MaxChildrenError: ``max_children`` children are running.
            AlreadyStartedError: Another process holds the child's name.
            IgnoredError: Its ``init`` returned `IGNORE`.
            StartError: ``init`` failed, for ``reason``. The specification is dropped.
            ValueError: The child is ``significant``, which only a `Supervisor` supports.

        Source:
            ``DynamicSupervisor.start_child/2``. Differs: raises where Elixir returns
            ``{:error, reason}``; children whose ``init`` suspends start concurrently.
        """
        return self._add(spec)
