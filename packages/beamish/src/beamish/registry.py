"""`Registry`: register processes under any keys; entries are removed when a process dies.

A unique registry holds one process for each key, and its keys can be names (`Registry.via`). A
duplicate registry holds many, for publish and subscribe (`Registry.dispatch`).

When not to use it: for a handful of singletons, a local name (``name="cache"``) is enough; for
data that belongs to no process, use a dict.

Source:
    Elixir's ``Registry``.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, TypeAlias

from beamish import _checks, process
from beamish._registry.table import RegistryTable, find_table, find_unique
from beamish._runtime import one_or_many
from beamish._runtime.process import Process
from beamish._server.base import Server, behaviour
from beamish._server.process import ServerProcess
from beamish.child_spec import ChildSpec
from beamish.errors import AlreadyRegisteredError, NoProcessError
from beamish.pid import Pid, Via, checked_via

Keys: TypeAlias = Literal["unique", "duplicate"]
Entries: TypeAlias = list[tuple[Pid, Any]]
Triple: TypeAlias = tuple[Hashable, Pid, Any]

_KEYS = ("unique", "duplicate")


@behaviour
class Registry(Server, trap_exit=True, shutdown=None):
    """Processes under keys; every function takes the registry's name (or pid) first.

    They are plain functions: a look-up sends no message and never suspends.
    """

    # Not in ``__dict__``: each look-up reads it.
    __slots__ = ("_table",)

    # For `names.take`: `register_name` adds the entry to the names that the process holds.
    notes_entries = True

    def __init__(
        self, keys: Keys, registry: str, listeners: Sequence[str], meta: Mapping[Hashable, Any]
    ) -> None:
        unique = keys == "unique"
        self._table = RegistryTable(
            registry, self.pid, unique=unique, listeners=listeners, meta=meta
        )

    def _dependents(self) -> list[Pid]:
        return self._table.dissolve()

    def _handle_info(self, message: Any) -> None:
        """Ignore the exits of linked processes, and any other message."""

    # -- Starting

    @classmethod
    async def start_link(
        cls,
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
            meta: The initial values of `meta`.

        Raises:
            ValueError: ``keys`` has another value.
            AlreadyStartedError: The name is taken.

        Source:
            ``Registry.start_link/1``. Differs: no partitions; one thread needs none.
        """
        arguments = _start_arguments(keys, name, listeners, meta)
        return await super().start_link(*arguments, name=name)

    @classmethod
    async def start(
        cls,
        *,
        keys: Keys,
        name: str,
        listeners: Sequence[str] = (),
        meta: Mapping[Hashable, Any] | None = None,
    ) -> Pid:
        """Start a registry without a link; see `start_link`."""
        arguments = _start_arguments(keys, name, listeners, meta)
        return await super().start(*arguments, name=name)

    @classmethod
    def child_spec(  # type: ignore[override] # its own options only
        cls,
        *,
        keys: Keys,
        name: str,
        listeners: Sequence[str] = (),
        meta: Mapping[Hashable, Any] | None = None,
    ) -> ChildSpec:
        """Return how a supervisor starts this registry; see `start_link`."""
        arguments = _start_arguments(keys, name, listeners, meta)
        return super().child_spec(*arguments, name=name).replace(type="supervisor")

    # -- Names

    @staticmethod
    def via(registry: str, key: Hashable, value: Any = None) -> Via:
        """Return the via name for a key of a unique registry: a name and a destination.

        Source:
            ``{:via, Registry, {registry, key}}`` and ``{:via, Registry, {registry, key, value}}``.
        """
        hash(key)  # an unhashable key is a mistake here, not where the name is used
        name = (registry, key) if value is None else (registry, key, value)
        return checked_via(Registry, name)

    @staticmethod
    def register_name(name: tuple[Any, ...], pid: Pid) -> bool:
        """Register ``pid`` under a via name; part of the name service that `via` uses."""
        table = find_unique(name[0], "a via name")
        if len(name) == 2 and pid._process.__class__ is ServerProcess:
            own = pid._process.name
            if own.__class__ is Via and own.name is name:
                return table.add_own(pid._process, name[1])
        return table.add(name[1], pid, name[2] if len(name) > 2 else None)

    @staticmethod
    def unregister_name(name: tuple[Any, ...]) -> None:
        """Unregister a via name; part of the name service that `via` uses."""
        table = find_unique(name[0], "a via name")
        table.drop(table.at(name[1]))

    @staticmethod
    def whereis_name(name: tuple[Any, ...]) -> Pid | None:
        """Return the process that holds a via name; part of the name service that `via` uses."""
        table = find_table(name[0])
        if not table.unique:
            find_unique(name[0], "a via name")
        entry = table.entries.get(name[1])
        return entry if entry is None or entry.__class__ is Pid else entry.pid

    # -- Entries of the calling process

    @staticmethod
    def register(registry: str | Pid, key: Hashable, value: Any = None) -> Pid:
        """Register the calling process under ``key``.

        Returns:
            The pid of the registry. The exit of the registry now ends the calling process too, as
            with a link.

        Raises:
            AlreadyRegisteredError: A unique key is taken, by the process in ``pid``.
            NoProcessError: This code runs in no process, or the registry is unknown.

        Source:
            ``Registry.register/3``.
        """
        table = find_table(registry)
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
        """Remove the calling process's entries under ``key`` whose value matches ``predicate``.

        Source:
            ``Registry.unregister_match/4``, with a predicate for the match pattern.
        """
        table = find_table(registry)
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
        table = find_unique(registry, "update_value")
        for entry in table.own(key, process.current()):
            old, new = entry.value, fn(entry.value)
            table.set_value(entry, new)
            return new, old
        return None

    # -- Look-ups

    @staticmethod
    def lookup(registry: str | Pid, key: Hashable) -> Entries:
        """Return the live processes under ``key`` with their values.

        Source:
            ``Registry.lookup/2``.
        """
        table = find_table(registry)
        if table.unique:
            entry = table.entries.get(key)
            if entry is None:
                return []
            return [(entry, None) if entry.__class__ is Pid else (entry.pid, entry.value)]
        return [(entry.pid, entry.value) for entry in table.at(key)]

    @staticmethod
    def whereis(  # type: ignore[override] # finds a key, not the registry
        registry: str | Pid, key: Hashable
    ) -> Pid | None:
        """Return the live process that holds ``key`` in a unique registry.

        Source:
            ``Registry.whereis_name/1``.
        """
        table = find_table(registry)
        if not table.unique:
            find_unique(registry, "whereis")
        entry = table.entries.get(key)
        return entry if entry is None or entry.__class__ is Pid else entry.pid

    @staticmethod
    def keys(registry: str | Pid, pid: Pid) -> list[Hashable]:
        """Return the keys that ``pid`` holds; a key with several entries appears several times.

        Source:
            ``Registry.keys/2``.
        """
        table = find_table(registry)
        holder: Process | None = pid._process
        if holder is None:
            return []
        held = one_or_many.items(holder.held)
        return [entry.shown(holder) for entry in held if table.is_of(entry)]

    @staticmethod
    def values(registry: str | Pid, key: Hashable, pid: Pid) -> list[Any]:
        """Return the values of ``pid`` under ``key``.

        Source:
            ``Registry.values/3``.
        """
        return [entry.value for entry in find_table(registry).own(key, pid)]

    @staticmethod
    def match(registry: str | Pid, key: Hashable, predicate: Callable[[Any], bool]) -> Entries:
        """Return the processes under ``key`` whose value matches ``predicate``.

        Source:
            ``Registry.match/4``, with a predicate for the match pattern.
        """
        return [pair for pair in Registry.lookup(registry, key) if predicate(pair[1])]

    @staticmethod
    def count_match(registry: str | Pid, key: Hashable, predicate: Callable[[Any], bool]) -> int:
        """Return the number of entries that `match` would return."""
        return len(Registry.match(registry, key, predicate))

    @staticmethod
    def select(
        registry: str | Pid, predicate: Callable[[Hashable, Pid, Any], bool]
    ) -> list[Triple]:
        """Return the key, pid and value of the entries for which ``predicate`` is true.

        Checks every entry.

        Source:
            ``Registry.select/2``, with a predicate for the match specification.
        """
        triples = [(entry.key, entry.pid, entry.value) for entry in find_table(registry)]
        return [triple for triple in triples if predicate(*triple)]

    @staticmethod
    def count_select(registry: str | Pid, predicate: Callable[[Hashable, Pid, Any], bool]) -> int:
        """Return the number of entries that `select` would return."""
        return len(Registry.select(registry, predicate))

    @staticmethod
    def count(registry: str | Pid) -> int:
        """Return the number of entries.

        Source:
            ``Registry.count/1``.
        """
        return find_table(registry).count

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
        """Return the value that `put_meta` stored under ``key``, or ``default``.

        Source:
            ``Registry.meta/2``.
        """
        return find_table(registry).meta.get(key, default)

    @staticmethod
    def put_meta(registry: str | Pid, key: Hashable, value: Any) -> None:
        """Store ``value`` with the registry itself.

        Source:
            ``Registry.put_meta/3``.
        """
        find_table(registry).meta[key] = value

    @staticmethod
    def delete_meta(registry: str | Pid, key: Hashable) -> None:
        """Delete the value that `put_meta` stored under ``key``.

        Source:
            ``Registry.delete_meta/2``.
        """
        find_table(registry).meta.pop(key, None)

    @staticmethod
    def lock(registry: str | Pid, key: Hashable) -> AbstractAsyncContextManager[None]:
        """Hold the lock of ``key`` within an ``async with`` block; first come, first served.

        Source:
            ``Registry.lock/3`` of Elixir 1.18.
        """
        return find_table(registry).locks.hold(key)


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
