"""`Registry`: processes under keys of your own, looked up in a moment, gone when they die.

A unique registry holds one process a key, and its keys serve as names (`Registry.via`). A
duplicate registry holds many, for publish and subscribe (`Registry.dispatch`).

When not to use it: for a handful of singletons, a local name (``name="cache"``) is enough; for
data that belongs to no process, use a dict.

Source:
    Elixir's ``Registry``.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, TypeAlias

from beamish import _checks, process
from beamish._runtime import few
from beamish._runtime.few import Few
from beamish._runtime.process import Process
from beamish._runtime.runtime import running
from beamish.child_spec import ChildSpec
from beamish.errors import AlreadyRegisteredError, NoProcessError
from beamish.gen_server import GenServer
from beamish.messages import Registered, Unregistered
from beamish.pid import Pid, Via

Keys: TypeAlias = Literal["unique", "duplicate"]
Entries: TypeAlias = list[tuple[Pid, Any]]
Triple: TypeAlias = tuple[Hashable, Pid, Any]

_KEYS = ("unique", "duplicate")


class _Entry:
    """One process under one key; the process holds it, and releases it when it dies."""

    __slots__ = ("key", "pid", "table", "value")

    def __init__(self, table: "_Table", key: Hashable, pid: Pid, value: Any) -> None:
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


class _Table:
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
        self.locks: dict[Hashable, _Lock] = {}
        self.count = 0
        # A unique key has one entry; a duplicate one, entries by pid, so that each is found at
        # once however many processes share the key.
        self.entries: dict[Hashable, Any] = {}

    def holder(self, key: Hashable) -> Pid | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.pid

    def at(self, key: Hashable) -> list[_Entry]:
        found = self.entries.get(key)
        if found is None:
            return []
        if self.unique:
            return [found]
        return [entry for entries in found.values() for entry in few.items(entries)]

    def __iter__(self) -> Iterator[_Entry]:
        for key in tuple(self.entries):
            yield from self.at(key)

    def own(self, key: Hashable, pid: Pid) -> list[_Entry]:
        """List the entries of ``pid`` under ``key``."""
        if self.unique:
            return [entry for entry in self.at(key) if entry.pid is pid]
        entries: Few[_Entry] = self.entries.get(key, {}).get(pid)
        return list(few.items(entries))

    def add(self, key: Hashable, pid: Pid, value: Any) -> bool:
        """Enter ``pid`` under ``key``; false if a unique key is taken."""
        entry = _Entry(self, key, pid, value)
        if self.unique:
            if self.entries.setdefault(key, entry) is not entry:
                return False
        else:
            by_pid = self.entries.setdefault(key, {})
            by_pid[pid] = few.add(by_pid.get(pid), entry)
        holder: Process = pid._process
        holder.held = entry if holder.held is None else few.add(holder.held, entry)
        self.count += 1
        if self.listeners:
            self._tell(Registered(self.name, key, pid, value))
        return True

    def drop(self, entries: Sequence[_Entry]) -> None:
        """Remove entries of one process under one key, and take them away from it."""
        for entry in entries:
            holder: Process = entry.pid._process
            holder.held = few.remove(holder.held, entry)
            self.remove(entry)
        if entries and self.listeners:
            self._tell(Unregistered(self.name, entries[0].key, entries[0].pid))

    def remove(self, entry: _Entry) -> None:
        """Remove ``entry``, which its process does not hold any more.

        Listeners are not told, so that the death of a process is no event for them, as in Elixir:
        who wants to know monitors it.
        """
        key, pid = entry.key, entry.pid
        if self.unique:
            del self.entries[key]
        else:
            by_pid = self.entries[key]
            left = few.remove(by_pid[pid], entry)
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
            holder: Process = pid._process
            for held in few.items(holder.held):
                if isinstance(held, _Entry) and held.table is self:
                    holder.held = few.remove(holder.held, held)
        self.entries.clear()
        for lock in self.locks.values():
            lock.give_up(NoProcessError(self.name))
        return holders


class _Lock:
    """Who holds a key, and who waits for it, in the order they asked."""

    __slots__ = ("held", "waiting")

    def __init__(self) -> None:
        self.held = False
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self.held:
            self.held = True
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn  # whoever lets go hands it over
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # it was handed over just when its taker gave up
            raise

    def release(self) -> bool:
        """Hand the key to the next who still waits; say whether anybody holds it now."""
        self.held = False
        while self.waiting and not self.held:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.held = True
        return self.held

    def give_up(self, error: Exception) -> None:
        for turn in self.waiting:
            if not turn.done():
                turn.set_exception(error)
        self.waiting.clear()


class _Server(GenServer, trap_exit=True):
    """The process of a registry; its table is read without asking it."""

    def __init__(self, keys: Keys, registry: str, listeners: Sequence[str], meta: Any) -> None:
        unique = keys == "unique"
        self.table = _Table(registry, self.pid, unique=unique, listeners=listeners, meta=meta)

    def _beamish_dependents(self) -> list[Pid]:
        return self.table.dissolve()

    def handle_info(self, message: object) -> None:
        """Ignore what is sent here, the exits of linked processes above all."""


_Server.__qualname__ = _Server._beamish.qualname = "Registry"


def _table(registry: str | Pid) -> _Table:
    """Find a registry by its name or pid."""
    if registry.__class__ is str:
        pid = running().names.get(registry)
        try:
            table = pid._process.server.table  # type: ignore[union-attr]
        except AttributeError:
            table = None  # unknown, dead, or not a server
        if table.__class__ is _Table:
            return table
    return _find_table(registry)


def _find_table(registry: object) -> _Table:
    if not isinstance(registry, str | Pid):
        raise TypeError(f"a registry is addressed by its name or pid; got {registry!r}")
    pid = process.whereis(registry) if isinstance(registry, str) else registry
    if pid is None or pid._process is None:
        raise NoProcessError(registry, f"unknown registry: {registry!r}; start it first")
    table = getattr(getattr(pid._process, "server", None), "table", None)
    if not isinstance(table, _Table):
        raise NoProcessError(registry, f"{registry!r} is a process, but not a registry")
    return table


def _unique(registry: str | Pid, what: str) -> _Table:
    table = _table(registry)
    if not table.unique:
        raise TypeError(
            f"{what} needs a registry with keys='unique'; {table.name!r} has keys='duplicate'"
        )
    return table


class Registry:
    """Functions on registries; every one takes the registry's name (or pid) first.

    They are plain functions: a look-up asks no process and waits for nothing.
    """

    # -- Starting

    @staticmethod
    async def start_link(
        *,
        keys: Keys,
        name: str,
        listeners: Sequence[str] = (),
        meta: Mapping[Hashable, Any] | None = None,
    ) -> Pid:
        """Start a registry, linked to the calling process.

        Args:
            keys: ``"unique"`` or ``"duplicate"``.
            name: Its local name.
            listeners: Local names of processes that get `Registered` and `Unregistered`.
            meta: The first values of `meta`.

        Raises:
            ValueError: ``keys`` is neither.
            AlreadyStartedError: The name is taken.

        Source:
            ``Registry.start_link/1``. Differs: no partitions; one thread needs none.
        """
        arguments = _start_arguments(keys, name, listeners, meta)
        return await _Server.start_link(*arguments, name=name)

    @staticmethod
    def child_spec(
        *,
        keys: Keys,
        name: str,
        listeners: Sequence[str] = (),
        meta: Mapping[Hashable, Any] | None = None,
    ) -> ChildSpec:
        """Say how a supervisor starts this registry; see `start_link`."""
        arguments = _start_arguments(keys, name, listeners, meta)
        return _Server.child_spec(*arguments, name=name).replace(type="supervisor", shutdown=None)

    # -- Names

    @staticmethod
    def via(registry: str, key: Hashable, value: Any = None) -> Via:
        """Name a process by a key of a unique registry: for ``name=``, and to address it.

        Source:
            ``{:via, Registry, {registry, key}}`` and ``{:via, Registry, {registry, key, value}}``.
        """
        hash(key)  # an unhashable key is a mistake here, not where the name is used
        return Via(Registry, (registry, key) if value is None else (registry, key, value))

    @staticmethod
    def register_name(name: tuple[Any, ...], pid: Pid) -> bool:
        """Take a via name for ``pid``; part of the name service that `via` uses."""
        table = _unique(name[0], "a via name")
        return table.add(name[1], pid, name[2] if len(name) > 2 else None)

    @staticmethod
    def unregister_name(name: tuple[Any, ...]) -> None:
        """Give a via name back; part of the name service that `via` uses."""
        table = _unique(name[0], "a via name")
        table.drop(table.at(name[1]))

    @staticmethod
    def whereis_name(name: tuple[Any, ...]) -> Pid | None:
        """Say who holds a via name; part of the name service that `via` uses."""
        return _unique(name[0], "a via name").holder(name[1])

    # -- Entries of the calling process

    @staticmethod
    def register(registry: str | Pid, key: Hashable, value: Any = None) -> Pid:
        """Enter the calling process under ``key``.

        Returns:
            The pid of the registry, which the calling process is linked to from now on.

        Raises:
            AlreadyRegisteredError: A unique key is taken; ``pid`` says by whom.
            NoProcessError: This code runs in no process, or the registry is unknown.

        Source:
            ``Registry.register/3``.
        """
        table = _table(registry)
        pid = process.current()
        if pid._process is None:
            raise NoProcessError(pid)
        if not table.add(key, pid, value):
            raise AlreadyRegisteredError(key, table.holder(key))
        return table.owner

    @staticmethod
    def unregister(registry: str | Pid, key: Hashable) -> None:
        """Remove the calling process's entries under ``key``.

        Source:
            ``Registry.unregister/2``.
        """
        Registry.unregister_match(registry, key, lambda _: True)

    @staticmethod
    def unregister_match(
        registry: str | Pid, key: Hashable, predicate: Callable[[Any], bool]
    ) -> None:
        """Remove the calling process's entries under ``key`` for whose value it is true.

        Source:
            ``Registry.unregister_match/4``, with a predicate for the match pattern.
        """
        table = _table(registry)
        own = table.own(key, process.current())
        table.drop([entry for entry in own if predicate(entry.value)])

    @staticmethod
    def update_value(
        registry: str | Pid, key: Hashable, fn: Callable[[Any], Any]
    ) -> tuple[Any, Any] | None:
        """Set the value of the calling process's entry to ``fn(value)``.

        Returns:
            The new value and the old, or ``None`` if the calling process does not hold ``key``.

        Source:
            ``Registry.update_value/3``.
        """
        table = _unique(registry, "update_value")
        for entry in table.own(key, process.current()):
            old, entry.value = entry.value, fn(entry.value)
            return entry.value, old
        return None

    # -- Look-ups

    @staticmethod
    def lookup(registry: str | Pid, key: Hashable) -> Entries:
        """List the live processes under ``key`` with their values.

        Source:
            ``Registry.lookup/2``.
        """
        return [(entry.pid, entry.value) for entry in _table(registry).at(key)]

    @staticmethod
    def whereis(registry: str | Pid, key: Hashable) -> Pid | None:
        """Return the live process that holds ``key`` in a unique registry.

        Source:
            ``Registry.whereis_name/1``.
        """
        table = _table(registry)
        if not table.unique:
            _unique(registry, "whereis")
        entry = table.entries.get(key)
        return None if entry is None else entry.pid

    @staticmethod
    def keys(registry: str | Pid, pid: Pid) -> list[Hashable]:
        """List the keys that ``pid`` holds, one as often as it holds it.

        Source:
            ``Registry.keys/2``.
        """
        table = _table(registry)
        holder: Process | None = pid._process
        held = () if holder is None else few.items(holder.held)
        return [entry.key for entry in held if isinstance(entry, _Entry) and entry.table is table]

    @staticmethod
    def values(registry: str | Pid, key: Hashable, pid: Pid) -> list[Any]:
        """List the values of ``pid`` under ``key``.

        Source:
            ``Registry.values/3``.
        """
        return [entry.value for entry in _table(registry).own(key, pid)]

    @staticmethod
    def match(registry: str | Pid, key: Hashable, predicate: Callable[[Any], bool]) -> Entries:
        """List the processes under ``key`` for whose value the predicate is true.

        Source:
            ``Registry.match/4``, with a predicate for the match pattern.
        """
        return [pair for pair in Registry.lookup(registry, key) if predicate(pair[1])]

    @staticmethod
    def count_match(registry: str | Pid, key: Hashable, predicate: Callable[[Any], bool]) -> int:
        """Count what `match` would list."""
        return len(Registry.match(registry, key, predicate))

    @staticmethod
    def select(
        registry: str | Pid, predicate: Callable[[Hashable, Pid, Any], bool]
    ) -> list[Triple]:
        """List the key, pid and value of the entries for which ``predicate`` is true.

        It looks at every entry.

        Source:
            ``Registry.select/2``, with a predicate for the match specification.
        """
        triples = [(entry.key, entry.pid, entry.value) for entry in _table(registry)]
        return [triple for triple in triples if predicate(*triple)]

    @staticmethod
    def count_select(registry: str | Pid, predicate: Callable[[Hashable, Pid, Any], bool]) -> int:
        """Count what `select` would list."""
        return len(Registry.select(registry, predicate))

    @staticmethod
    def count(registry: str | Pid) -> int:
        """Count the entries.

        Source:
            ``Registry.count/1``.
        """
        return _table(registry).count

    @staticmethod
    def dispatch(registry: str | Pid, key: Hashable, fn: Callable[[Entries], object]) -> None:
        """Call ``fn(entries)`` with the pids and values under ``key``, if there are any.

        Source:
            ``Registry.dispatch/4``.
        """
        entries = Registry.lookup(registry, key)
        if entries:
            fn(entries)

    # -- Metadata and locks

    @staticmethod
    def meta(registry: str | Pid, key: Hashable, default: Any = None) -> Any:
        """Return what `put_meta` stored under ``key``.

        Source:
            ``Registry.meta/2``.
        """
        return _table(registry).meta.get(key, default)

    @staticmethod
    def put_meta(registry: str | Pid, key: Hashable, value: Any) -> None:
        """Store ``value`` with the registry itself.

        Source:
            ``Registry.put_meta/3``.
        """
        _table(registry).meta[key] = value

    @staticmethod
    def delete_meta(registry: str | Pid, key: Hashable) -> None:
        """Forget what `put_meta` stored under ``key``.

        Source:
            ``Registry.delete_meta/2``.
        """
        _table(registry).meta.pop(key, None)

    @staticmethod
    def lock(registry: str | Pid, key: Hashable) -> AbstractAsyncContextManager[None]:
        """Keep others who lock ``key`` out of the ``async with`` block; first come, first served.

        Source:
            ``Registry.lock/3`` of Elixir 1.18.
        """
        return _locked(_table(registry), key)


@asynccontextmanager
async def _locked(table: _Table, key: Hashable) -> AsyncIterator[None]:
    lock = table.locks.setdefault(key, _Lock())
    await lock.acquire()
    try:
        yield
    finally:
        if not lock.release() and table.locks.get(key) is lock:
            del table.locks[key]


def _start_arguments(
    keys: Keys, name: str, listeners: Sequence[str], meta: Mapping[Hashable, Any] | None
) -> tuple[Keys, str, tuple[str, ...], dict[Hashable, Any]]:
    _checks.one_of("keys", keys, _KEYS)
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be a non-empty string, the registry's name; got {name!r}")
    wrong = [item for item in listeners if not isinstance(item, str)]
    if isinstance(listeners, str) or wrong:
        raise TypeError(f"listeners must be a list of local names (strings); got {listeners!r}")
    if meta is not None and not isinstance(meta, Mapping):
        raise TypeError(f"meta must be a mapping; got {meta!r}")
    return keys, name, tuple(listeners), dict(meta or {})
