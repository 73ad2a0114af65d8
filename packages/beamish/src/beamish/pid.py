"""Identities: `Pid`, `Ref` and `Via`, and the types of destinations."""

import itertools
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, NoReturn, Protocol, TypeAlias, runtime_checkable

# For the reference; the other names are for the library.
__all__ = ["Dest", "Name", "NameService", "Pid", "Ref", "Via"]

_serials = itertools.count(100)


@total_ordering
class Pid:
    """The identity of one process; it outlives the process without keeping it in memory.

    Pids are hashable, ordered by creation and never reused.

    Source:
        Erlang's ``pid()``.
    """

    # The process is typed Any, because this module must not import the runtime.
    __slots__ = ("_process", "_runtime", "serial")

    def __init__(self, runtime: Any, process: Any) -> None:
        self.serial: int = next(_serials)
        self._runtime = runtime
        self._process = process  # None as soon as the process is dead

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Pid):
            return NotImplemented
        return self.serial < other.serial

    def __copy__(self) -> "Pid":
        return self  # an identity

    def __deepcopy__(self, memo: object) -> "Pid":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} is valid only in its own program; send a name instead")

    def __repr__(self) -> str:
        return f"#PID<0.{self.serial}.0>"


class Ref:
    """A unique reference of a monitor or a timer.

    Source:
        Erlang's ``reference()``.
    """

    __slots__ = ("serial",)

    def __init__(self) -> None:
        self.serial: int = next(_serials)

    def __copy__(self) -> "Ref":
        return self  # an identity

    def __deepcopy__(self, memo: object) -> "Ref":
        return self

    def __repr__(self) -> str:
        return f"#Reference<0.{self.serial}>"


@runtime_checkable
class NameService(Protocol):
    """The interface of a name service for `Via`.

    Source:
        The ``:via`` modules of Erlang and Elixir.
    """

    def register_name(self, name: Any, pid: Pid, /) -> bool:
        """Register ``name`` for ``pid``; return false when another process holds it."""
        ...

    def unregister_name(self, name: Any, /) -> object:
        """Unregister ``name``."""

    def whereis_name(self, name: Any, /) -> Pid | None:
        """Return the process that holds ``name``, or ``None``."""


_services: set[int] = set()  # ids of classes that passed the check


@dataclass(frozen=True, slots=True)
class Via:
    """A name in a name service, for ``name=`` and as a destination.

    Args:
        service: An object or class with ``register_name(name, pid) -> bool``,
            ``unregister_name(name)`` and ``whereis_name(name) -> Pid | None``.
        name: The name of the process in that service.

    Source:
        Elixir's ``{:via, module, term}``.
    """

    service: NameService
    name: Any

    def __post_init__(self) -> None:
        if id(self.service) not in _services:
            self._check_service()

    def _check_service(self) -> None:
        missing = [
            method
            for method in ("register_name", "unregister_name", "whereis_name")
            if not callable(getattr(self.service, method, None))
        ]
        if missing:
            raise TypeError(
                "the service of a Via must have register_name, unregister_name and whereis_name; "
                f"{self.service!r} lacks {', '.join(missing)}"
            )
        if isinstance(self.service, type):
            _services.add(id(self.service))


_SET_SERVICE = Via.__dict__["service"].__set__
_SET_NAME = Via.__dict__["name"].__set__


def checked_via(service: NameService, name: Any) -> Via:
    """Return ``Via(service, name)`` for a service that needs no check.

    The constructor of a frozen dataclass is slow, and every registered process has a via name.
    """
    via = object.__new__(Via)
    _SET_SERVICE(via, service)
    _SET_NAME(via, name)
    return via


Dest: TypeAlias = Pid | str | Via
Name: TypeAlias = str | Via
