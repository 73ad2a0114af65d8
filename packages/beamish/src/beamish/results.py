"""Results of callbacks, and replies of supervisors and tasks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from beamish import _checks
from beamish.pid import Pid

T = TypeVar("T")

if TYPE_CHECKING:
    # A method is annotated with what its callers get. Type checkers accept a subclass of Any as a
    # result of any type, as they accept a `raise`, and the client keeps its type.
    _AnyResult: TypeAlias = Any
else:
    _AnyResult = object


class _Marker:
    """A constant that is compared by identity."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


IGNORE: Final = _Marker("IGNORE")
"""Returned by ``init``: do not start this process; this is not an error."""

NO_REPLY: Final = _Marker("NO_REPLY")
"""The reply of a `Stop` that sends no reply; ``None`` would be a reply."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Run ``handle_continue(value)`` next, before any queued message."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """Send ``"timeout"`` to ``handle_info`` if no message arrives within ``seconds``."""

    seconds: float

    def __post_init__(self) -> None:
        _checks.seconds("Timeout", self.seconds)


@dataclass(frozen=True, slots=True)
class Hibernate:
    """Accepted for code ported from Erlang; it has no effect, as idle processes cost nothing."""


Then: TypeAlias = Continue | Timeout | Hibernate | None


def _check_then(then: object) -> None:
    if then is not None and not isinstance(then, Continue | Timeout | Hibernate):
        raise TypeError(f"then must be a Continue, Timeout, Hibernate or None; got {then!r}")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """Reply to a call with ``value``, then do ``then``."""

    value: T
    then: Then = None

    def __post_init__(self) -> None:
        _check_then(self.then)


@dataclass(frozen=True, slots=True, init=False)
class Fail(_AnyResult):  # type: ignore[misc] # a subclass of Any, see above
    """Refuse a call: raise ``error`` in the caller; the server keeps its state and goes on.

    An exception that a callback raises is a crash. `Fail` is for what callers must expect, such
    as an amount that is not there. The method is annotated with what its callers get
    (``-> int``; ``-> Fail | None`` where they get ``None``). Also a reply of ``GenServer.reply``
    and of `Stop`.

    Args:
        error: The exception that the caller gets as it is. Make a new one each time: an
            exception that is raised again collects the tracebacks of all its callers.
        then: What to do next, as in `Reply`.

    Source:
        Elixir's ``{:reply, {:error, reason}, state}``.
    """

    error: Exception
    then: Then = None

    def __init__(self, error: Exception, then: Then = None) -> None:
        # A coroutine cannot raise StopIteration: Python makes a RuntimeError of it.
        if not isinstance(error, Exception) or isinstance(error, StopIteration):
            raise TypeError(
                f"Fail takes an exception to raise, as in Fail(ValueError(...)); got {error!r}"
            )
        if then is not None:
            _check_then(then)
        # Frozen dataclasses set their fields the slow way; a refusal costs as little as a reply.
        _SET_ERROR(self, error)
        _SET_THEN(self, then)


_SET_ERROR = Fail.__dict__["error"].__set__
_SET_THEN = Fail.__dict__["then"].__set__


def check_fail_alone(reply: object) -> None:
    """Raise `TypeError` for a `Fail` with ``then`` where only its error is used."""
    if isinstance(reply, Fail) and reply.then is not None:
        raise TypeError(
            "then is only for a Fail that a callback returns; reply without it, got "
            f"then={reply.then!r}"
        )


@dataclass(frozen=True, slots=True)
class NoReply:
    """Do not reply to the call yet; ``GenServer.reply(from_, value)`` does later."""

    then: Then = None

    def __post_init__(self) -> None:
        _check_then(self.then)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the process: run ``terminate(reason)``, then send ``reply`` if given.

    A reply of ``Fail(error)`` raises ``error`` in the caller.
    """

    reason: Any = "normal"
    reply: Any = NO_REPLY

    def __post_init__(self) -> None:
        check_fail_alone(self.reply)


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A child, as returned by ``which_children``.

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
    """Numbers of children, as returned by ``count_children``."""

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
"""The exit reason of a process whose task was cancelled from outside, as at a loop's end."""


def is_clean(reason: Any) -> bool:
    """Return whether an exit reason is normal, shutdown or ``("shutdown", _)``.

    Source:
        Erlang's supervisors and crash reports, which treat every other reason as a crash.
    """
    if isinstance(reason, str):
        return reason in ("normal", "shutdown")
    if not isinstance(reason, tuple) or len(reason) != 2:
        return False
    return isinstance(reason[0], str) and reason[0] == "shutdown"
