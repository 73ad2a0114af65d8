"""The registries, and the entries of one."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

from beamish._registry.table import RegistryTable
from beamish._snapshots.encode import cut, short, text
from beamish._snapshots.processes import servers
from beamish._snapshots.query import Query
from beamish._snapshots.slices import sliced
from beamish.pid import Pid

_MAX_KEY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """A registry.

    Args:
        pid: The registry.
        name: Its name.
        keys: ``"unique"`` or ``"duplicate"``.
        count: Number of keys.
        entries: Number of entries; of unique keys, the number of keys.
        listeners: Names of the processes that are told of new entries.
    """

    pid: Pid
    name: str
    keys: str
    count: int
    entries: int
    listeners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryEntryRow:
    """An entry of a registry: a key, the process under it, and the value, shortened."""

    key: str
    pid: Pid
    value: str


@dataclass(frozen=True, slots=True)
class RegistryPage:
    """The registries, and the first entries of the chosen one.

    Args:
        registries: All registries, oldest first.
        chosen: The registry whose entries follow, or ``None``.
        entries: Its first entries that match the search.
        matching: Number of entries that match the search.
    """

    registries: list[RegistryRow]
    chosen: Pid | None
    entries: list[RegistryEntryRow]
    matching: int


def is_registry(server: Any) -> bool:
    """Return whether a server is a registry."""
    return isinstance(getattr(server, "_table", None), RegistryTable)


async def registries(query: Query) -> RegistryPage:
    """Return the registries, and entries of the one that ``query.pid`` names."""
    found = await servers(is_registry)
    rows = [_row(process) for process in found]
    chosen = next((item for item in found if query.pid in _names(item)), None)
    if chosen is None:
        return RegistryPage(rows, None, [], 0)
    entries, matching = await _entries(chosen.server._table, query)
    return RegistryPage(rows, chosen.pid, entries, matching)


def _names(process: Any) -> tuple[str, str]:
    return str(process.pid.serial), process.server._table.name


def _row(process: Any) -> RegistryRow:
    table: RegistryTable = process.server._table
    keys = "unique" if table.unique else "duplicate"
    return RegistryRow(
        process.pid, table.name, keys, len(table.entries), table.count, table.listeners
    )


async def _entries(table: RegistryTable, query: Query) -> tuple[list[RegistryEntryRow], int]:
    found: list[RegistryEntryRow] = []
    matching = 0
    async for keys in sliced(list(table.entries)):
        for entry in chain.from_iterable(map(table.at, keys)):
            if query.search and query.search not in text(entry.key).lower():
                continue
            matching += 1
            if len(found) < query.limit:
                key = cut(text(entry.key), _MAX_KEY_CHARACTERS)
                found.append(RegistryEntryRow(key, entry.pid, short(entry.value)))
    return found, matching
