"""The specifications and options that supervisors are given."""

import inspect
from collections.abc import Iterable
from typing import Any

from beamish import _checks
from beamish._runtime import eager
from beamish._server.requests import safe_repr
from beamish.child_spec import ChildSpec, check_restart, check_shutdown
from beamish.pid import Pid
from beamish.results import IGNORE


def as_spec(child: Any) -> ChildSpec:
    """Return the specification of what stands in a list of children."""
    if isinstance(child, ChildSpec):
        return child
    make = getattr(child, "child_spec", None)
    if isinstance(child, type) and callable(make):
        spec = make()
        if isinstance(spec, ChildSpec):
            return spec
    raise TypeError(
        "a child is a ChildSpec, or a class that starts without arguments, such as a GenServer; "
        f"got {child!r}"
    )


def pid_of_child(pid: Any) -> Pid:
    """Return ``pid``; raise `TypeError` for anything else that names a child."""
    if not isinstance(pid, Pid):
        raise TypeError(f"a dynamic supervisor knows its children by pid; got {pid!r}")
    return pid


def title_of(spec: ChildSpec) -> str:
    """Name a child in logs and errors: by its id, or its class."""
    named = spec.id.__qualname__ if isinstance(spec.id, type) else safe_repr(spec.id)
    return f"child {named}"


def check_intensity(max_restarts: Any, max_seconds: Any) -> None:
    """Refuse a restart intensity that is none."""
    _checks.count("max_restarts", max_restarts)
    _checks.seconds("max_seconds", max_seconds, positive=True)


def check_ids(specs: Iterable[ChildSpec]) -> None:
    """Refuse two children with one id."""
    seen: set[Any] = set()
    for spec in specs:
        if spec.id in seen:
            raise ValueError(
                f"two children have the id {spec.id!r}; give one another with .replace(id=...)"
            )
        seen.add(spec.id)


def check_spec_options(cls: type, options: dict[str, Any]) -> dict[str, Any]:
    """Check the class keywords of a module-based supervisor, which go into its child spec."""
    known = {"restart": check_restart, "shutdown": check_shutdown}
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"{cls.__qualname__} takes restart and shutdown, not {name!r}")
        known[name](value)
    return options


async def options_of(owner: Any, arguments: tuple[Any, Any], kind: type) -> Any:
    """Return the options of a supervisor: as given, or as its module's ``init`` says them."""
    args, kwargs = arguments
    if len(args) == 1 and isinstance(args[0], kind) and not owner._has_own_init():
        return args[0]

    async def init() -> Any:
        found = owner().init(*args, **kwargs)
        return await found if inspect.isawaitable(found) else found

    found = (await eager.in_own_task(init)).result()
    if found is not IGNORE and not isinstance(found, kind):
        raise TypeError(
            f"{owner.__qualname__}.init returned {found!r}; return {owner.__base__.__qualname__}"
            ".spec(...) or IGNORE"
        )
    return found


def own_server(owner: type, base: type[Any]) -> type[Any]:
    """Make the class of the processes of a module-based supervisor, which bears its name."""
    body = {"_beamish_name": owner.__qualname__, "_beamish_owner": owner}
    return type(owner.__name__, (base,), body)
