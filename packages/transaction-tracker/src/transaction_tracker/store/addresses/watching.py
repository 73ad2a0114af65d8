"""Add, remove and list watched addresses."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from transaction_tracker.domain import MAX_ADDRESSES, PASSED_OVER, AddressToWatch, Required
from transaction_tracker.store import bulk
from transaction_tracker.store.addresses import searches
from transaction_tracker.store.addresses.table import WatchedChange
from transaction_tracker.store.pages import MAX_PAGE_SIZE
from transaction_tracker.store.rows import required
from transaction_tracker.store.schema import address_searches, addresses, cursors

_NEW = ("source", "address", "required", "metadata", "watched_from", "search", "created_at")
_READ_AT_ONCE = 5_000


class TooManyAddressesError(ValueError):
    """A source has as many addresses as it can have."""


@dataclass(frozen=True, slots=True)
class Search:
    """The search for earlier deposits.

    Attributes:
        first_block: The lowest block.
        next_block: The lowest block that is not searched yet.
        last_block: The highest block.
    """

    first_block: int
    next_block: int
    last_block: int


@dataclass(frozen=True, slots=True)
class WatchedAddress:
    """A watched address.

    Attributes:
        source: Name of its source in the database.
        address: The address.
        required: Its own requirement; ``None`` for that of the source.
        metadata: JSON object of the user.
        watched_from: The lowest block that is compared with it while the chain is followed;
            ``None`` if no block had been applied when it was added.
        found: Number of transactions that paid it.
        open: Number of these that are not final.
        passed_over: Number of payments that became no transaction, by reason.
        created_at: Unix seconds.
        search: The search for earlier deposits; ``None`` without one, and once it is complete.
    """

    source: str
    address: str
    required: Required | None
    metadata: str
    watched_from: int | None
    found: int
    open: int
    passed_over: Mapping[str, int]
    created_at: float
    search: Search | None


def watch(connection: Connection, source: str, wanted: Sequence[AddressToWatch]) -> WatchedChange:
    """Store new addresses of a source; those that are watched already stay as they are.

    ``from_block`` counts for these too: their earlier deposits are searched.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        wanted: The addresses.

    Raises:
        TooManyAddressesError: The source would have too many addresses.
    """
    tip, version = _cursor(connection, source)
    # Reversed: of several equal addresses, the first one counts.
    by_address = {each.address: each for each in reversed(wanted)}
    known = _known(connection, source, by_address)
    new = [each for each in by_address.values() if each.address not in known]
    _check_room(connection, source, len(new))
    now = time.time()
    rows = [
        (
            source,
            each.address,
            None if each.required is None else str(each.required),
            each.metadata,
            None if tip is None else tip + 1,
            None,
            now,
        )
        for each in new
    ]
    bulk.insert(connection, addresses, _NEW, rows)
    searches.begin(connection, source, by_address.values(), tip)
    version += bool(new)
    mine = cursors.c.source == source
    connection.execute(update(cursors).where(mine).values(addresses_version=version))
    return WatchedChange(source, version, tuple((each.address, each.required) for each in new))


def unwatch(connection: Connection, source: str, address: str) -> WatchedChange | None:
    """Remove an address; its transactions stay. Return ``None`` if it is not watched."""
    mine = addresses.c.source == source, addresses.c.address == address
    if not connection.execute(delete(addresses).where(*mine)).rowcount:
        return None
    searches.drop_unused(connection, source)
    return WatchedChange(source, _cursor(connection, source)[1], removed=(address,))


def find(connection: Connection, address: str) -> list[WatchedAddress]:
    """Return a watched address, of each source that watches it."""
    query = _select().where(addresses.c.address == address).order_by(addresses.c.source)
    return [_read(row) for row in connection.execute(query)]


def page(
    connection: Connection,
    *,
    after: tuple[str, str] | None,
    limit: int,
    source: str | None = None,
) -> list[WatchedAddress]:
    """Return a page of watched addresses, ordered by source and address.

    Args:
        connection: The database.
        after: Source and address of the last one of the previous page; ``None`` for the first page.
        limit: Maximum number of addresses, up to 1,000.
        source: Only those of this source.
    """
    table = addresses.c
    query = _select().order_by(table.source, table.address)
    if source is not None:
        query = query.where(table.source == source)
    if after is not None:
        of_source = (table.source == after[0]) & (table.address > after[1])
        query = query.where((table.source > after[0]) | of_source)
    rows = connection.execute(query.limit(min(limit, MAX_PAGE_SIZE)))
    return [_read(row) for row in rows]


def load_watched(connection: Connection) -> Iterator[list[tuple[str, str, Required | None]]]:
    """Yield all watched addresses with their sources, some thousands at a time."""
    query = select(addresses.c.source, addresses.c.address, addresses.c.required)
    streaming = {"yield_per": _READ_AT_ONCE}
    with connection.execute(query, execution_options=streaming) as rows:
        for some in rows.partitions():
            yield [(row[0], row[1], row[2] and required(row[2])) for row in some]


def changes_of(
    rows: Sequence[tuple[str, str, Required | None]], versions: Mapping[str, int]
) -> Iterator[WatchedChange]:
    """Yield loaded addresses as the changes of their sources."""
    by_source: dict[str, list[tuple[str, Required | None]]] = {}
    for source, address, wanted in rows:
        by_source.setdefault(source, []).append((address, wanted))
    for source, some in by_source.items():
        yield WatchedChange(source, versions.get(source, 0), tuple(some))


def load_versions(connection: Connection) -> dict[str, int]:
    """Return the number of additions of each source."""
    query = select(cursors.c.source, cursors.c.addresses_version)
    return {row.source: row.addresses_version for row in connection.execute(query)}


def _cursor(connection: Connection, source: str) -> tuple[int | None, int]:
    """Return the number of the last applied block of a source, and its number of additions."""
    query = select(cursors.c.number, cursors.c.addresses_version).where(cursors.c.source == source)
    row = connection.execute(query).first()
    if row is None:  # a source that has never run
        connection.execute(insert(cursors), {"source": source})
        return None, 0
    return row.number, row.addresses_version


def _known(connection: Connection, source: str, wanted: Iterable[str]) -> set[str]:
    rows = bulk.select(connection, addresses, ("source", "address"), "address", list(wanted))
    return {row[1] for row in rows if row[0] == source}


def _check_room(connection: Connection, source: str, more: int) -> None:
    query = select(func.count()).select_from(addresses).where(addresses.c.source == source)
    count = (connection.scalar(query) or 0) if more else 0
    if count + more > MAX_ADDRESSES:
        raise TooManyAddressesError(
            f"a source can have {MAX_ADDRESSES:,} watched addresses, and has {count:,}; remove "
            f"some before you add {more:,}"
        )


def _select() -> Any:
    joined = addresses.outerjoin(address_searches, addresses.c.search == address_searches.c.id)
    search = address_searches.c
    columns = (search.first_block, search.next_block, search.last_block)
    return select(addresses, *columns).select_from(joined)


def _read(row: Row[Any]) -> WatchedAddress:
    return WatchedAddress(
        source=row.source,
        address=row.address,
        required=None if row.required is None else required(row.required),
        metadata=row.metadata,
        watched_from=row.watched_from,
        found=row.found,
        open=row.open,
        passed_over={reason: getattr(row, reason) for reason in PASSED_OVER},
        created_at=row.created_at,
        search=None
        if row.next_block is None
        else Search(row.first_block, row.next_block, row.last_block),
    )
