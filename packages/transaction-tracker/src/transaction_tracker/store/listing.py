"""Pages of transactions with filters: plain functions on a connection.

By activity, open transactions come first, the newest first; then those that have ended, the last
ended first. Those that need attention come oldest first: they have waited longest. Both orders have
an index (`open_transactions`, `ended_transactions`), so that a page of a large table is read
without sorting the table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from transaction_tracker.domain import Flag, State
from transaction_tracker.store.pages import (
    MAX_PAGE_SIZE,
    RECORD_COLUMNS,
    TransactionRecord,
    read_records,
)
from transaction_tracker.store.schema import ENDED, OPEN, transactions


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions a page has: those that match every given part.

    Attributes:
        states: One of these states.
        flags: One of these flags.
        search: Start of the id, or a part of the metadata as JSON; upper and lower case are the
            same for ASCII letters.
        since: Registered at or after this time, in Unix seconds.
        attention: Only open transactions that are parked, missing or have a flag. By activity,
            the oldest first.
        source: Of the source with this name in the database.
    """

    states: frozenset[State] = frozenset()
    flags: frozenset[Flag] = frozenset()
    search: str = ""
    since: float | None = None
    attention: bool = False
    source: str | None = None


class ActivityPlace(NamedTuple):
    """The place of a transaction in the order of activity.

    Attributes:
        ended: Whether it has ended.
        time: Unix seconds of its registration, or of its end.
        id: Its id, as it was registered.
    """

    ended: bool
    time: float
    id: str


ALL = TransactionFilter()


def id_page(
    connection: Connection, *, after: str | None, limit: int, wanted: TransactionFilter = ALL
) -> list[TransactionRecord]:
    """Return a page of transactions in the order of their ids.

    Args:
        connection: The database.
        after: The last id of the previous page; ``None`` for the first page.
        limit: Maximum number of transactions, up to 1,000.
        wanted: Which transactions the page has.
    """
    table = transactions.c
    query = select(*RECORD_COLUMNS).where(*_conditions(wanted)).order_by(table.id)
    if after is not None:
        query = query.where(table.id > after)
    return read_records(
        connection, connection.execute(query.limit(min(limit, MAX_PAGE_SIZE))).all()
    )


def activity_page(
    connection: Connection,
    *,
    after: ActivityPlace | None,
    limit: int,
    wanted: TransactionFilter = ALL,
) -> tuple[list[TransactionRecord], list[ActivityPlace]]:
    """Return a page of transactions in the order of activity, and their places.

    Args:
        connection: The database.
        after: The place of the last transaction of the previous page; ``None`` for the first page.
        limit: Maximum number of transactions, up to 1,000.
        wanted: Which transactions the page has.
    """
    limit = min(limit, MAX_PAGE_SIZE)
    found: list[TransactionRecord] = []
    places: list[ActivityPlace] = []
    for ended in (False, True):
        if (ended and wanted.attention) or (after is not None and after.ended > ended):
            continue
        start = after if after is not None and after.ended == ended else None
        some, their_places = _part(connection, ended, start, limit - len(found), wanted)
        found, places = found + some, places + their_places
        if len(found) == limit:
            break
    return found, places


def _part(
    connection: Connection,
    ended: bool,
    after: ActivityPlace | None,
    limit: int,
    wanted: TransactionFilter,
) -> tuple[list[TransactionRecord], list[ActivityPlace]]:
    table = transactions.c
    time = table.ended_at if ended else table.created_at
    order = (time, table.id) if wanted.attention else (time.desc(), table.id.desc())
    query = (
        select(*RECORD_COLUMNS, time.label("place"))
        .where(ENDED if ended else OPEN, *_conditions(wanted))
        .order_by(*order)
        .limit(limit)
    )
    if after is not None and wanted.attention:
        beyond = and_(time == after.time, table.id > after.id)
        query = query.where(time >= after.time, or_(time > after.time, beyond))
    elif after is not None:
        beyond = and_(time == after.time, table.id < after.id)
        query = query.where(time <= after.time, or_(time < after.time, beyond))
    if ended and wanted.since is not None:
        # Nothing ends before it is registered: the index finds where to stop.
        query = query.where(time >= wanted.since)
    rows = connection.execute(query).all()
    records = read_records(connection, rows)
    return records, [
        ActivityPlace(ended, row.place, record.tracked.key)
        for row, record in zip(rows, records, strict=True)
    ]


def _conditions(wanted: TransactionFilter) -> Iterable[ColumnElement[bool]]:
    table = transactions.c
    if wanted.source is not None:
        yield table.source == wanted.source
    if wanted.states:
        yield table.state.in_(sorted(wanted.states))
    if wanted.flags:
        yield or_(*(_has_flag(flag) for flag in sorted(wanted.flags)))
    if wanted.search:
        yield _matches(wanted.search)
    if wanted.since is not None:
        yield table.created_at >= wanted.since
    if wanted.attention:
        yield table.ended_at.is_(None)
        yield or_(table.flags != "", table.error.is_not(None), table.state == "missing")


def _has_flag(flag: Flag) -> ColumnElement[bool]:
    # Commas around the list, so that no flag is found within another.
    return ("," + transactions.c.flags + ",").contains(f",{flag},", autoescape=True)


def _matches(text: str) -> ColumnElement[bool]:
    lowered = text.lower()
    in_id = func.lower(transactions.c.id).startswith(lowered, autoescape=True)
    return or_(in_id, func.lower(transactions.c.metadata).contains(lowered, autoescape=True))
