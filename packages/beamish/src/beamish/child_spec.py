"""How a supervisor starts, restarts and stops a child: `ChildSpec` and `Backoff`."""

import dataclasses
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from beamish import _checks
from beamish.pid import Pid

__all__ = ["Backoff", "ChildSpec"]  # for the reference; the other names are for the library

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
Shutdown: TypeAlias = float | Literal["brutal_kill"] | None
ChildType: TypeAlias = Literal["worker", "supervisor"]

RESTARTS = ("permanent", "transient", "temporary")
TYPES = ("worker", "supervisor")
NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})


def check_restart(restart: object) -> None:
    """Raise `ValueError` if ``restart`` is not a restart type."""
    _checks.one_of("restart", restart, RESTARTS)


def check_shutdown(shutdown: object) -> None:
    """Raise `ValueError` if ``shutdown`` is not seconds, ``"brutal_kill"`` or ``None``."""
    number = isinstance(shutdown, int | float) and not isinstance(shutdown, bool)
    if shutdown is None or shutdown == "brutal_kill" or (number and shutdown >= 0):  # type: ignore[operator]
        return
    raise ValueError(
        "shutdown must be a non-negative number of seconds, 'brutal_kill', or None to wait "
        f"without a limit; got {shutdown!r}"
    )


def check_id(id: object) -> None:  # noqa: A002 - the name of the field
    """Raise `TypeError` if ``id`` is not hashable."""
    try:
        hash(id)
    except TypeError as error:
        raise TypeError(f"id must be hashable, such as a string or a class: {error}") from None


class SharedStart:
    """The start of all child specifications of one class of servers.

    A specification returns ``of(id)`` as its ``start``. So a child costs no start of its own.
    """

    __slots__ = ()

    def of(self, id: Any) -> Callable[..., Awaitable[Pid]]:  # noqa: A002 - the name of the field
        """Return the start of the specification with this id."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start, restart and stop one child.

    Args:
        id: Identifies the child within its supervisor.
        start: An async callable that starts the child, linked to the calling process (the
            supervisor), and returns its pid, as ``start_link`` does.
        args: Positional arguments for ``start``.
        kwargs: Keyword arguments for ``start``.
        restart: ``"permanent"`` (always), ``"transient"`` (after an abnormal exit) or
            ``"temporary"`` (never).
        shutdown: Seconds that the child has to terminate, ``"brutal_kill"``, or ``None`` to wait
            without a limit.
        type: ``"worker"`` or ``"supervisor"``.
        significant: Whether its exit can shut the supervisor down; see ``auto_shutdown``.

    Raises:
        ValueError: A field has an invalid value; the message names it.
        TypeError: ``start``, ``args`` or ``kwargs`` has the wrong type.

    Source:
        Elixir's ``Supervisor.child_spec/0``. Differs: ``kwargs``.
    """

    id: Any
    start: Callable[..., Awaitable[Pid]]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=lambda: NO_ARGUMENTS)
    restart: Restart = "permanent"
    shutdown: Shutdown = 5.0
    type: ChildType = "worker"
    significant: bool = False

    def __post_init__(self) -> None:
        check_id(self.id)
        if not callable(self.start):
            raise TypeError(
                f"start must be an async callable that returns a Pid; got {self.start!r}"
            )
        if not isinstance(self.args, tuple):
            raise TypeError(f"args must be a tuple; got {self.args!r}")
        if self.kwargs is not NO_ARGUMENTS and not isinstance(self.kwargs, Mapping):
            raise TypeError(f"kwargs must be a mapping; got {self.kwargs!r}")
        if self.restart not in RESTARTS:
            check_restart(self.restart)
        if self.shutdown.__class__ is not float or not self.shutdown >= 0:  # pyright: ignore[reportOperatorIssue]
            check_shutdown(self.shutdown)
        if self.type not in TYPES:
            _checks.one_of("type", self.type, TYPES)
        if self.significant is not False:
            self._check_significant()

    def _check_significant(self) -> None:
        _checks.one_of("significant", self.significant, (True, False))
        if self.restart == "permanent":
            raise ValueError(
                "significant must be False for a child with restart='permanent', which is always "
                "restarted; make it 'transient' or 'temporary'"
            )

    def __hash__(self) -> int:
        return hash((self.id, self.start, self.restart, self.type))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (getattr(self, known.name) for known in dataclasses.fields(self))
        return ChildSpec, tuple(dict(f) if f is self.kwargs else f for f in fields)

    def replace(self, **changes: Any) -> "ChildSpec":
        """Return a copy with changed fields; the copy is checked like a new one."""
        names = [known.name for known in dataclasses.fields(self)]
        unknown = sorted(changes.keys() - set(names))
        if unknown:
            raise TypeError(
                f"a ChildSpec has no field {', '.join(unknown)}; it has {', '.join(names)}"
            )
        return dataclasses.replace(self, **changes)


# The constructor of a frozen dataclass is slow, and every child has its own specification.
_new = object.__new__
_SET_ID = ChildSpec.__dict__["id"].__set__
_START = ChildSpec.__dict__["start"]
_SET_START = _START.__set__
_SET_ARGS = ChildSpec.__dict__["args"].__set__
_SET_KWARGS = ChildSpec.__dict__["kwargs"].__set__
_SET_RESTART = ChildSpec.__dict__["restart"].__set__
_SET_SHUTDOWN = ChildSpec.__dict__["shutdown"].__set__
_SET_TYPE = ChildSpec.__dict__["type"].__set__
_SET_SIGNIFICANT = ChildSpec.__dict__["significant"].__set__


def spec_of_server(
    id: Any,  # noqa: A002 - the name of the field
    start: SharedStart | Callable[..., Awaitable[Pid]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    restart: Restart,
    shutdown: Shutdown,
) -> ChildSpec:
    """Return the specification of a server, without checks: its class checked the options."""
    spec = _new(ChildSpec)
    _SET_ID(spec, id)
    _SET_START(spec, start)
    _SET_ARGS(spec, args)
    _SET_KWARGS(spec, kwargs)
    _SET_RESTART(spec, restart)
    _SET_SHUTDOWN(spec, shutdown)
    _SET_TYPE(spec, "worker")
    _SET_SIGNIFICANT(spec, False)
    return spec


stored_start: Callable[[ChildSpec], Any] = _START.__get__
"""Return what a specification holds as its start, which can be a `SharedStart`."""


def _start_of(spec: ChildSpec) -> Callable[..., Awaitable[Pid]]:
    stored: Any = stored_start(spec)
    return stored.of(spec.id) if isinstance(stored, SharedStart) else stored


ChildSpec.start = property(_start_of, _SET_START)  # type: ignore[assignment, misc]


@dataclass(frozen=True, slots=True)
class Backoff:
    """A delay that grows with each failure in a row, such as before a crashed child restarts.

    Args:
        initial: Seconds before the first restart.
        factor: Factor by which each further delay grows.
        maximum: Maximum delay in seconds, before jitter.
        jitter: Fraction of the delay by which it varies at random in both directions, so that
            many children do not restart at the same moment.
        reset_after: Seconds that a child must have run to reset its delay; the delay itself and
            failed starts do not count. With 0, each successful start resets it.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.1
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        for option in ("initial", "maximum", "reset_after"):
            _checks.seconds(option, getattr(self, option))
        if not isinstance(self.factor, int | float) or not 1 <= self.factor < float("inf"):
            raise ValueError(f"factor must be a number of at least 1; got {self.factor!r}")
        if not isinstance(self.jitter, int | float) or not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be a fraction from 0 to 1; got {self.jitter!r}")

    def delay(self, crashes: int) -> float:
        """Return the seconds to wait after the last of ``crashes`` crashes in a row (1 or more)."""
        try:
            grown = self.initial * float(self.factor) ** (crashes - 1)
        except OverflowError:  # beyond any maximum
            grown = self.maximum if self.initial else 0.0
        delay = min(grown, self.maximum)
        return delay * (1 + random.uniform(-self.jitter, self.jitter))  # noqa: S311 - not a secret
