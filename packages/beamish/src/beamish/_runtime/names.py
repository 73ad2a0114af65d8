"""The only place where destinations (pids, local names and via names) are resolved."""

from typing import Any

from beamish._runtime import one_or_many
from beamish._runtime.addressee import Addressee
from beamish._runtime.process import Process
from beamish._runtime.runtime import Runtime, running
from beamish.errors import AlreadyRegisteredError, NoProcessError
from beamish.pid import Dest, Name, Pid, Via


class LocalName:
    """A local name that a process holds."""

    __slots__ = ("name", "runtime")

    def __init__(self, runtime: Runtime, name: str) -> None:
        self.runtime = runtime
        self.name = name

    def release(self, holder: Process) -> None:
        """Remove the name, if ``holder`` still holds it."""
        if self.runtime.names.get(self.name) is holder.pid:
            del self.runtime.names[self.name]

    def linked_to(self) -> None:
        """Return ``None``: the name links its holder to no process."""

    def shown(self, holder: Process) -> str:
        """Return the name."""
        return self.name


class ServiceName:
    """A name at a name service other than `Registry`."""

    __slots__ = ("via",)

    def __init__(self, via: Via) -> None:
        self.via = via

    def release(self, holder: Process) -> None:
        """Unregister the name, if ``holder`` still holds it."""
        # The process is already dead for look-ups, so a service that checks can return None.
        if self.via.service.whereis_name(self.via.name) in (holder.pid, None):
            self.via.service.unregister_name(self.via.name)

    def linked_to(self) -> None:
        """Return ``None``: the name links its holder to no process."""

    def shown(self, holder: Process) -> Via:
        """Return the name."""
        return self.via


def pid_of(dest: Dest) -> Pid | None:
    """Return the pid of the live process at ``dest``, or ``None``.

    Raises:
        TypeError: ``dest`` is not a pid, a name or a via name.
    """
    if isinstance(dest, Pid):
        return dest if dest._process is not None else None
    if isinstance(dest, str):
        found = running().names.get(dest)
        return found if found is not None and found._process is not None else None
    if isinstance(dest, Via):
        found = dest.service.whereis_name(dest.name)
        return found if found is not None and found._process is not None else None
    raise TypeError(f"a process is addressed by a Pid, a name (str) or a Via; got {dest!r}")


def local(pid: Pid) -> Addressee | None:
    """Return what receives the signals for ``pid``, or ``None`` if it is dead.

    Raises:
        BeamishError: It lives in another event loop, whose thread alone can use it.
    """
    process: Addressee | None = pid._process
    return process if process is not None and process.runtime.check_loop() else None


def alive(pid: Pid) -> Addressee | None:
    """Return what receives the signals for ``pid``, of any event loop, or ``None``."""
    process: Addressee | None = pid._process
    return None if process is None or process.runtime.loop.is_closed() else process


def of_this_node(process: Addressee | None, pid: Pid) -> Process | None:
    """Return ``process`` if it is one of this program, or ``None`` for a dead one.

    Raises:
        TypeError: It lives on another node, where only signals reach it.
    """
    if process is None or isinstance(process, Process):
        return process
    raise TypeError(
        f"{pid!r} lives on another node; only messages, calls, monitors, links and exit signals "
        "reach it there"
    )


def process_of(dest: Dest) -> Any:
    """Return the live `Process` at ``dest``.

    Raises:
        NoProcessError: There is no live process.
    """
    pid = pid_of(dest)
    if pid is None:
        raise no_process(dest)
    return pid._process


def no_process(dest: Dest) -> NoProcessError:
    """Return the error that no live process is at ``dest``, or that it is restarting."""
    try:
        child = running().restarting.get(dest)
    except TypeError:  # a via name that cannot be hashed
        child = None
    return NoProcessError(dest, restarting_in=None if child is None else child.restarting_in())


def check_name(name: object) -> None:
    """Raise `TypeError` if ``name`` is not a valid name."""
    if isinstance(name, Via) or (isinstance(name, str) and name):
        return
    raise TypeError(
        "name must be a non-empty string (a local name) or a Via such as "
        f"Registry.via(registry, key); got {name!r}"
    )


def take(process: Process, name: Name) -> None:
    """Register ``process`` under ``name``.

    Raises:
        AlreadyRegisteredError: Another process holds it.
    """
    pid = process.pid
    if isinstance(name, str):
        names = process.runtime.names
        if name in names:
            raise AlreadyRegisteredError(name, names[name])
        names[name] = pid
        process.held = one_or_many.add(process.held, LocalName(process.runtime, name))
    elif not name.service.register_name(name.name, pid):
        raise AlreadyRegisteredError(name, name.service.whereis_name(name.name))
    elif not getattr(name.service, "notes_entries", False):
        # A `Registry` adds its entry to ``held`` itself; other name services do not.
        process.held = one_or_many.add(process.held, ServiceName(name))


def register_local(process: Process, name: str) -> None:
    """Register ``process`` under the local ``name``.

    Raises:
        AlreadyRegisteredError: Another process holds it.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"a local name must be a non-empty string; got {name!r}")
    take(process, name)


def unregister_local(runtime: Runtime, name: str) -> None:
    """Unregister the local ``name``.

    Raises:
        NoProcessError: No process holds it.
    """
    pid = runtime.names.pop(name, None)
    if pid is None:
        raise NoProcessError(name)
    process = pid._process
    for held in one_or_many.items(process.held):
        if isinstance(held, LocalName) and held.name == name:
            process.held = one_or_many.remove(process.held, held)
