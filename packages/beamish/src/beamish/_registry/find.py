"""Finds a registry by its name or pid."""

from asyncio import _get_running_loop

from beamish import process
from beamish._registry.table import RegistryTable
from beamish._runtime import runtime
from beamish.errors import NoProcessError
from beamish.pid import Pid


def find_table(registry: str | Pid) -> RegistryTable:
    """Return the table of a registry.

    Raises:
        NoProcessError: The registry is unknown or dead.
        TypeError: ``registry`` is neither a name nor a pid.
    """
    latest = runtime._latest
    if latest is not None and latest.loop is _get_running_loop():  # `running`, without the call
        try:
            table = latest.names[registry]._process.server._table  # type: ignore[index]
        except (LookupError, AttributeError, TypeError):
            table = None  # unknown, dead, or not a registry: `_search` raises
        if table.__class__ is RegistryTable:
            return table  # pyright: ignore[reportReturnType]
    return _search(registry)


def _search(registry: object) -> RegistryTable:
    if not isinstance(registry, str | Pid):
        raise TypeError(f"a registry must be given by its name or pid; got {registry!r}")
    pid = process.whereis(registry) if isinstance(registry, str) else registry
    if pid is None or pid._process is None:
        raise NoProcessError(registry, f"unknown registry: {registry!r}; start it first")
    if not pid._process.runtime.check_loop():
        raise NoProcessError(registry)
    table = getattr(getattr(pid._process, "server", None), "_table", None)
    if not isinstance(table, RegistryTable):
        raise NoProcessError(registry, f"{registry!r} is a process, but not a registry")
    return table


def find_unique(registry: str | Pid, what: str) -> RegistryTable:
    table = find_table(registry)
    if not table.unique:
        raise TypeError(
            f"{what} needs a registry with keys='unique'; {table.name!r} has keys='duplicate'"
        )
    return table
