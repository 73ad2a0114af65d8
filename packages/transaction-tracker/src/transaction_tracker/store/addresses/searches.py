"""The search for deposits that are in blocks from before an address was watched.

A search is a range of blocks for any number of addresses. It is done in pieces, from the lowest
block up; its place is stored with what each piece found, so that it goes on after a restart.
Searches that reach the same block become one.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from transaction_tracker.domain import AddressToWatch
from transaction_tracker.store import bulk
from transaction_tracker.store.addresses import deposits
from transaction_tracker.store.recording import record
from transaction_tracker.store.schema import address_searches, addresses
from transaction_tracker.store.steps import FoundDeposits, Stored

MAX_SEARCH_BLOCKS = 1_000_000
MAX_SEARCHES = 1_000


class InvalidSearchError(ValueError):
    """A search for earlier deposits cannot begin."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next blocks of a search.

    Attributes:
        search: Id of the search.
        numbers: Numbers of the blocks.
        version: Differs from that of any other search, and of the same one with fewer addresses.
    """

    search: int
    numbers: range
    version: tuple[float, int]


def begin(
    connection: Connection, source: str, wanted: Iterable[AddressToWatch], tip: int | None
) -> None:
    """Begin the searches that addresses ask for.

    Args:
        connection: Inside a database transaction, in which the addresses have been stored.
        source: Name of the source.
        wanted: The addresses.
        tip: Number of the last applied block; later blocks are compared when they are applied.

    Raises:
        InvalidSearchError: No block has been applied yet, or there is too much to search.
    """
    by_start: dict[int, list[str]] = {}
    for each in wanted:
        if each.from_block is not None:
            by_start.setdefault(each.from_block, []).append(each.address)
    if not by_start:
        return
    if tip is None:
        raise InvalidSearchError(
            "from_block: the source has applied no block yet, so that it is unknown where the "
            "search ends; wait until it runs"
        )
    if tip - min(by_start) >= MAX_SEARCH_BLOCKS:
        raise InvalidSearchError(
            f"from_block: at most {MAX_SEARCH_BLOCKS:,} blocks are searched, so it must be at "
            f"least {tip - MAX_SEARCH_BLOCKS + 1}, got {min(by_start)}"
        )
    running = {row.first_block: row for row in _rows(connection, source)}
    if len(running.keys() | by_start.keys()) > MAX_SEARCHES:
        raise InvalidSearchError(
            f"from_block: at most {MAX_SEARCHES:,} searches can run at once; give the same block "
            "for more addresses, or wait"
        )
    for start, some in sorted(by_start.items()):
        waiting = _not_covered(connection, source, start, some) if start <= tip else []
        if waiting:
            _join(connection, source, start, tip, waiting)
    drop_unused(connection, source)


def require(connection: Connection, source: str, numbers: Sequence[int]) -> None:
    """Search blocks that were applied without their transfers, for all addresses.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        numbers: Numbers of the blocks; possibly none.
    """
    if not numbers:
        return
    first, last = min(numbers), max(numbers)
    table = address_searches.c
    # The running searches get there, too.
    further = update(address_searches).where(table.source == source, table.last_block < last)
    connection.execute(further.values(last_block=last))
    without = addresses.c.source == source, addresses.c.search.is_(None)
    some = list(connection.execute(select(addresses.c.address).where(*without)).scalars())
    if some:
        _join(connection, source, first, last, some)


def next_piece(connection: Connection, source: str, size: int) -> Piece | None:
    """Return the next blocks to search, or ``None`` if there are none.

    The search that is furthest behind comes first, up to the place of the next one.

    Args:
        connection: The database.
        source: Name of the source.
        size: Maximum number of blocks.
    """
    rows = sorted(_rows(connection, source), key=lambda row: row.next_block)
    if not rows:
        return None
    first = rows[0]
    stop = min(first.next_block + size, first.last_block + 1)
    if len(rows) > 1:
        stop = min(stop, rows[1].next_block)
    return Piece(first.id, range(first.next_block, stop), _version(first))


def addresses_of(connection: Connection, search: int) -> list[str]:
    """Return the addresses of a search."""
    query = select(addresses.c.address).where(addresses.c.search == search)
    return list(connection.execute(query).scalars())


def advance(connection: Connection, source: str, piece: Piece, found: FoundDeposits) -> Stored:
    """Store the deposits in a piece, and the place of the search, together.

    The transactions are registered like those of a user: the follower asks about each of them, and
    proves its block.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        piece: The searched blocks.
        found: The deposits in them.
    """
    mine = address_searches.c.id == piece.search
    query = select(address_searches).where(mine)
    row = connection.execute(query).first()
    if row is None or row.next_block != piece.numbers.start or _version(row) != piece.version:
        # Its addresses were removed, or others were added: these blocks are searched again.
        return Stored(is_outdated=True)
    stored = add(connection, source, found)
    if piece.numbers.stop > row.last_block:
        _end(connection, piece.search)
    else:
        moved = update(address_searches).where(mine).values(next_block=piece.numbers.stop)
        connection.execute(moved)
        _merge(connection, source, piece.search, piece.numbers.stop)
    return stored


def add(connection: Connection, source: str, found: FoundDeposits) -> Stored:
    """Store deposits that were found after their block was applied.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        found: The deposits.
    """
    written = deposits.write(connection, source, found)
    position, events = record(connection, written.reopened)
    started = (*written.started, *(event.tracked for event in events))
    return Stored(started, events, position=position, source=source, started=started)


def drop_unused(connection: Connection, source: str) -> None:
    """Delete the searches of a source that have no addresses any more."""
    used = select(addresses.c.search).where(addresses.c.search.is_not(None))
    mine = address_searches.c.source == source
    connection.execute(delete(address_searches).where(mine, address_searches.c.id.not_in(used)))


def _rows(connection: Connection, source: str) -> Sequence[Row[Any]]:
    query = select(address_searches).where(address_searches.c.source == source)
    return connection.execute(query).all()


def _version(row: Row[Any]) -> tuple[float, int]:
    return row.created_at, row.changes


def _not_covered(connection: Connection, source: str, start: int, some: Sequence[str]) -> list[str]:
    """Return the addresses whose running search, if any, has passed a block already."""
    places = {row.id: row.next_block for row in _rows(connection, source)}
    names = ("source", "address", "search")
    rows = bulk.select(connection, addresses, names, "address", some)
    return [
        address
        for of_source, address, search in rows
        if of_source == source and places.get(search, start + 1) > start
    ]


def _join(connection: Connection, source: str, start: int, tip: int, some: Sequence[str]) -> None:
    """Add addresses to the search that begins at a block and has not begun, or to a new one."""
    table = address_searches.c
    unbegun = table.source == source, table.first_block == start, table.next_block == start
    search = connection.scalar(select(table.id).where(*unbegun))
    if search is None:
        search = (connection.scalar(select(func.max(table.id))) or 0) + 1
        values = {"id": search, "source": source, "first_block": start, "next_block": start}
        values |= {"last_block": tip, "created_at": time.time()}
        connection.execute(insert(address_searches), values)
    else:
        further = update(address_searches).where(table.id == search)
        connection.execute(further.values(last_block=tip, changes=table.changes + 1))
    rows = [(search, source, address) for address in some]
    bulk.update(connection, addresses, ("search",), ("source", "address"), rows)


def _merge(connection: Connection, source: str, search: int, place: int) -> None:
    """Make one search of this one and those that are at the same place."""
    table = address_searches.c
    others = table.source == source, table.next_block == place, table.id != search
    rows = connection.execute(select(address_searches).where(*others)).all()
    if not rows:
        return
    ids = [row.id for row in rows]
    moved = update(addresses).where(addresses.c.search.in_(ids)).values(search=search)
    connection.execute(moved)
    connection.execute(delete(address_searches).where(table.id.in_(ids)))
    mine = table.id == search
    last = max(connection.scalar(select(table.last_block).where(mine)) or 0, *_lasts(rows))
    further = update(address_searches).where(mine)
    connection.execute(further.values(last_block=last, changes=table.changes + 1))


def _lasts(rows: Iterable[Row[Any]]) -> Iterable[int]:
    return (row.last_block for row in rows)


def _end(connection: Connection, search: int) -> None:
    done = update(addresses).where(addresses.c.search == search).values(search=None)
    connection.execute(done)
    connection.execute(delete(address_searches).where(address_searches.c.id == search))
