"""The entries of a registry: who is under which key."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from beamish import process
from beamish._registry.locks import KeyLocks
from beamish._runtime import one_or_many
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.process import Process
from beamish.errors import NoProcessError
from beamish.messages import Registered, Unregistered
from beamish.pid import Pid


class Entry:
    """One process under one key; the process holds it, and releases it when it dies."""

    __slots__ = ("key", "pid", "table", "value")

    def __init__(self, table: "Table", key: Hashable, pid: Pid, value: Any) -> None:
        self.table = table
        self.key = key
        self.pid = pid
        self.value = value

    def release(self, pid: Pid) -> None:
        self.table.remove(self)

    def linked_to(self) -> Pid:
        return self.table.owner

    def shown(self) -> Hashable:
        return self.key


class Table:
    """The entries of one registry: for each key, for each process, its entries."""

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
        # A unique key has one entry; a duplicate one, entries by pid, so that each is found at
        # once however many processes share the key.
        self.entries: dict[Hashable, Any] = {}

    def holder(self, key: Hashable) -> Pid | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.pid

    def at(self, key: Hashable) -> list[Entry]:
        found = self.entries.get(key)
        if found is None:
            return []
        if self.unique:
            return [found]
        return [entry for entries in found.values() for entry in one_or_many.items(entries)]

    def __iter__(self) -> Iterator[Entry]:
        for key in tuple(self.entries):
            yield from self.at(key)

    def own(self, key: Hashable, pid: Pid) -> list[Entry]:
        """List the entries of ``pid`` under ``key``."""
        if self.unique:
            return [entry for entry in self.at(key) if entry.pid is pid]
        entries: OneOrMany[Entry] = self.entries.get(key, {}).get(pid)
        return list(one_or_many.items(entries))

    def add(self, key: Hashable, pid: Pid, value: Any) -> bool:
        """Enter ``pid`` under ``key``; false if a unique key is taken."""
        if pid._process is None:
            raise NoProcessError(pid)
        entry = Entry(self, key, pid, value)
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

    def drop(self, entries: Sequence[Entry]) -> None:
        """Remove entries of one process under one key, and take them away from it."""
        for entry in entries:
            holder: Process = entry.pid._process
            holder.held = one_or_many.remove(holder.held, entry)
            self.remove(entry)
        if entries and self.listeners:
            self._tell(Unregistered(self.name, entries[0].key, entries[0].pid))

    def remove(self, entry: Entry) -> None:
        """Remove ``entry``, which its process does not hold any more.

        Listeners are not told, so that the death of a process is no event for them, as in Elixir:
        who wants to know monitors it.
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
        """Drop every entry, now that the registry is dead; list who held any."""
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
            if isinstance(held, Entry) and held.table is self:
                holder.held = one_or_many.remove(holder.held, held)
