"""Checks of the child specifications and options of supervisors."""

from collections.abc import Iterable
from typing import Any

from beamish import _checks
from beamish._diagnostics.brief import brief
from beamish.child_spec import ChildSpec, check_id
from beamish.pid import Pid


def as_spec(child: Any) -> ChildSpec:
    """Return the specification of an element of a list of children."""
    if isinstance(child, ChildSpec):
        return child
    make = getattr(child, "child_spec", None)
    if isinstance(child, type) and callable(make):
        spec = make()
        if isinstance(spec, ChildSpec):
            return spec
    raise TypeError(
        "a child must be a ChildSpec, or a class that starts without arguments (a GenServer); "
        f"got {child!r}"
    )


def hashable_id(id: Any) -> Any:  # noqa: A002 - the field of ChildSpec
    """Return ``id``; raise `TypeError` if it cannot be the id of a child."""
    check_id(id)
    return id


def pid_of_child(pid: Any) -> Pid:
    """Return ``pid``; raise `TypeError` if it is not a pid."""
    if not isinstance(pid, Pid):
        raise TypeError(f"a child of a dynamic supervisor must be given by its pid; got {pid!r}")
    return pid


def title_of(spec: ChildSpec) -> str:
    """Return the name of a child in logs and errors: its id, or its class."""
    named = spec.id.__qualname__ if isinstance(spec.id, type) else brief(spec.id)
    return f"child {named}"


def check_intensity(max_restarts: Any, max_seconds: Any) -> None:
    """Raise `ValueError` if a restart intensity is invalid."""
    _checks.count("max_restarts", max_restarts)
    _checks.seconds("max_seconds", max_seconds, positive=True)


def check_ids(specs: Iterable[ChildSpec]) -> None:
    """Raise `ValueError` if two children have the same id."""
    seen: set[Any] = set()
    for spec in specs:
        if spec.id in seen:
            raise ValueError(
                f"two children have the id {spec.id!r}; set another id with .replace(id=...)"
            )
        seen.add(spec.id)
