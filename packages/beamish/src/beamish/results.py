"""What callbacks return to say more than "go on", and what supervisors and tasks answer."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from beamish import _checks
from beamish.pid import Pid

T = TypeVar("T")


class _Marker:
    """A value that stands for nothing but itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


IGNORE: Final = _Marker("IGNORE")
"""Returned by ``init``: do not start this process, and do not call it a fault."""

NO_REPLY: Final = _Marker("NO_REPLY")
"""The reply of a `Stop` that sends none; ``None`` would be a reply."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Run ``handle_continue(value)`` next, before any queued message."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """Send ``"timeout"`` to ``handle_info`` if no message comes within ``seconds``."""

    seconds: float

    def __post_init__(self) -> None:
        _checks.seconds("Timeout", self.seconds)


@dataclass(frozen=True, slots=True)
class Hibernate:
    """Accepted for those who come from Erlang: an idle process costs nothing here."""


Then: TypeAlias = Continue | Timeout | Hibernate | None


def _check_then(then: object) -> None:
    if then is not None and not isinstance(then, Continue | Timeout | Hibernate):
        raise TypeError(f"then must be a Continue, Timeout, Hibernate or None; got {then!r}")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """Answer a call with ``value``, and do ``then``."""

    value: T
    then: Then = None

    def __post_init__(self) -> None:
        _check_then(self.then)


@dataclass(frozen=True, slots=True)
class NoReply:
    """Do not answer the call yet: ``GenServer.reply(from_, value)`` will."""

    then: Then = None

    def __post_init__(self) -> None:
        _check_then(self.then)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process: ``terminate(reason)`` runs, then ``reply`` is sent, if one is given."""

    reason: Any = "normal"
    reply: Any = NO_REPLY


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child, as ``which_children`` tells it.

    Args:
        id: The id of its specification.
        pid: Its process; ``None`` unless it is running.
        type: ``"worker"`` or ``"supervisor"``.
        status: ``"running"``, ``"restarting"`` or ``"stopped"``.
    """

    id: Any
    pid: Pid | None
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many children a supervisor has, as ``count_children`` tells it."""

    specs: int
    active: int
    supervisors: int
    workers: int


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """A task returned ``value``."""

    value: T


@dataclass(frozen=True, slots=True)
class Exited:
    """A task exited for ``reason`` instead of returning."""

    reason: Any


CANCELLED: Final = ("shutdown", "cancelled")
"""The exit reason of a process whose task was cancelled from outside, as asyncio's end does."""


def is_clean(reason: Any) -> bool:
    """Say whether an exit reason is an expected one: normal, shutdown or ``("shutdown", _)``.

    Source:
        Erlang's supervisors and crash reports, which treat just these as no crash.
    """
    if isinstance(reason, str):
        return reason in ("normal", "shutdown")
    if not isinstance(reason, tuple) or len(reason) != 2:
        return False
    return isinstance(reason[0], str) and reason[0] == "shutdown"
