"""The entries of a registry, by key; and the table of a registry, by its name or pid."""

from asyncio import _get_running_loop
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from beamish import process
from beamish._registry.locks import KeyLocks
from beamish._runtime import one_or_many, runtime
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.process import Process
from beamish.errors import NoProcessError
from beamish.messages import Registered, Unregistered
from beamish.pid import Pid


class RegistryEntry:
    """One process under one key; removed when the process dies.

    A server that a unique registry has under its own name, without a value, has none: its pid is
    in the place of the entry, and it holds the table. There can be a million.
    """

    __slots__ = ("key", "pid", "table", "value")

    def __init__(self, table: "RegistryTable", key: Hashable, pid: Pid, value: Any) -> None:
        self.table = table
        self.key = key
        self.pid = pid
        self.value = value

    def release(self, holder: Process) -> None:
        self.table.remove(self)

    def linked_to(self) -> Pid:
        return self.table.owner

    def shown(self, holder: Process) -> Hashable:
        return self.key


class RegistryTable:
    """The entries of one registry, and its metadata and locks."""

    __slots__ = ("count", "entries", "listeners", "locks", "meta", "name", "owner", "unique")

    def __init__(
        self, name: str, owner: Pid, *, unique: bool, listeners: Sequence[str], meta: Any
    ) -> None:
        self.name = name
        self.owner = owner
        self.unique = unique
        self.listeners = tuple(listeners)
        self.meta = dict(meta)
        self.locks = KeyLocks()
        self.count = 0
        # Unique keys: key to entry, or to a pid; see `RegistryEntry`. Duplicate keys: key to pid to
        # its entries, so that removing an entry costs the same for any number of processes under
        # the key.
        self.entries: dict[Hashable, Any] = {}

    def holder(self, key: Hashable) -> Pid | None:
        entry = self.entries.get(key)
        return entry if entry is None or entry.__class__ is Pid else entry.pid

    def at(self, key: Hashable) -> list[RegistryEntry]:
        found = self.entries.get(key)
        if found is None:
            return []
        if found.__class__ is Pid:
            return [RegistryEntry(self, key, found, None)]
        if self.unique:
            return [found]
        return [entry for entries in found.values() for entry in one_or_many.items(entries)]

    def __iter__(self) -> Iterator[RegistryEntry]:
        for key in tuple(self.entries):
            yield from self.at(key)

    def own(self, key: Hashable, pid: Pid) -> list[RegistryEntry]:
        """Return the entries of ``pid`` under ``key``."""
        if self.unique:
            return [entry for entry in self.at(key) if entry.pid is pid]
        entries: OneOrMany[RegistryEntry] = self.entries.get(key, {}).get(pid)
        return list(one_or_many.items(entries))

    def add(self, key: Hashable, pid: Pid, value: Any) -> bool:
        """Register ``pid`` under ``key``; return False if a unique key is taken."""
        if pid._process is None:
            raise NoProcessError(pid)
        entry = RegistryEntry(self, key, pid, value)
        if self.unique:
            if self.entries.setdefault(key, entry) is not entry:
                return False
        else:
            by_pid = self.entries.setdefault(key, {})
            by_pid[pid] = one_or_many.add(by_pid.get(pid), entry)
        holder: Process = pid._process
        holder.held = entry if holder.held is None else one_or_many.add(holder.held, entry)
        self.count += 1
        if self.listeners:
            self._tell(Registered(self.name, key, pid, value))
        return True

    def add_own(self, holder: Process, key: Hashable) -> bool:
        """Register a server under its own name; return False if the key is taken."""
        pid = holder.pid
        if key in self.entries:
            return False
        self.entries[key] = pid
        holder.held = self if holder.held is None else one_or_many.add(holder.held, self)
        self.count += 1
        if self.listeners:
            self._tell(Registered(self.name, key, pid, None))
        return True

    # -- As the name that a server holds, which is registered under its own name

    def release(self, holder: Any) -> None:
        del self.entries[self.shown(holder)]
        self.count -= 1

    def linked_to(self) -> Pid:
        return self.owner

    def shown(self, holder: Any) -> Hashable:
        return holder.name.name[1]  # type: ignore[no-any-return]

    # -- Changes of entries

    def set_value(self, entry: RegistryEntry, value: Any) -> None:
        """Set the value of an entry of a live process in a unique registry."""
        entry.value = value
        if self.entries.get(entry.key) is entry.pid:
            holder: Process = entry.pid._process
            self.entries[entry.key] = entry
            holder.held = one_or_many.add(one_or_many.remove(holder.held, self), entry)

    def drop(self, entries: Sequence[RegistryEntry]) -> None:
        """Remove entries of one live process under one key, and notify the listeners."""
        for entry in entries:
            holder: Process = entry.pid._process
            is_own = self.entries[entry.key] is entry.pid
            holder.held = one_or_many.remove(holder.held, self if is_own else entry)
            self.remove(entry)
        if entries and self.listeners:
            self._tell(Unregistered(self.name, entries[0].key, entries[0].pid))

    def remove(self, entry: RegistryEntry) -> None:
        """Remove ``entry`` from the table, but not from its process.

        Does not notify listeners: as in Elixir, they get no event when a process dies. A listener
        that needs to know monitors the process.
        """
        key, pid = entry.key, entry.pid
        if self.unique:
            del self.entries[key]
        else:
            by_pid = self.entries[key]
            left = one_or_many.remove(by_pid[pid], entry)
            if left is None:
                del by_pid[pid]
                if not by_pid:
                    del self.entries[key]
            else:
                by_pid[pid] = left
        self.count -= 1

    def _tell(self, event: Registered | Unregistered) -> None:
        for listener in self.listeners:
            if process.whereis(listener) is not None:
                process.send(listener, event)

    def dissolve(self) -> list[Pid]:
        """Remove every entry because the registry is dead; return the pids that had entries."""
        holders = list(dict.fromkeys(entry.pid for entry in self))
        for pid in holders:
            holder: Process | None = pid._process
            if holder is not None:
                self._take_from(holder)
        self.entries.clear()
        self.locks.give_up(NoProcessError(self.name))
        return holders

    def _take_from(self, holder: Process) -> None:
        for held in one_or_many.items(holder.held):
            if self.is_of(held):
                holder.held = one_or_many.remove(holder.held, held)

    def is_of(self, held: object) -> bool:
        """Return whether a name that a process holds is an entry of this registry."""
        return held is self or (isinstance(held, RegistryEntry) and held.table is self)


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
    """Return the table of a registry with unique keys, which ``what`` needs."""
    table = find_table(registry)
    if not table.unique:
        raise TypeError(
            f"{what} needs a registry with keys='unique'; {table.name!r} has keys='duplicate'"
        )
    return table
