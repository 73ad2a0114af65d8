"""Decimals and symbols of tokens: known once, shown with each later transfer.

A token is added in the step that writes its first transfer, and asked about afterwards: no event
waits for an answer. An event that was written without decimals stays as it is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update

from transaction_tracker.domain import TokenUnit
from transaction_tracker.store import bulk
from transaction_tracker.store.details import Units
from transaction_tracker.store.schema import token_units

MAX_ATTEMPTS = 8
# Anybody can send an account any number of worthless tokens, and each would be a question.
MAX_OPEN_PER_SOURCE = 10_000
_COLUMNS = ("source", "contract", "attempts", "next_at")

# A source, and a contract there.
Key = tuple[str, str]


def known(connection: Connection, keys: Collection[Key]) -> Units:
    """Return the known units of some tokens."""
    return {key: unit for key, unit in _rows(connection, keys).items() if unit is not None}


def note(connection: Connection, keys: Collection[Key]) -> Units:
    """Return the known units of some tokens, and store the unknown ones, to ask about them.

    Args:
        connection: Inside a database transaction.
        keys: The tokens of transfers that are being written.
    """
    rows = _rows(connection, keys)
    new = sorted({*keys} - rows.keys())
    for source in {source for source, _ in new}:
        contracts = [contract for place, contract in new if place == source]
        left = MAX_OPEN_PER_SOURCE - _count_open(connection, source)
        added = [(source, contract, 0, 0.0) for contract in contracts[: max(0, left)]]
        bulk.insert(connection, token_units, _COLUMNS, added)
    return {key: unit for key, unit in rows.items() if unit is not None}


def due(connection: Connection, *, source: str, now: float, limit: int) -> list[tuple[str, int]]:
    """Return the tokens that must be asked about now, with the number of attempts so far.

    Args:
        connection: The database.
        source: Name of the source.
        now: Unix seconds.
        limit: Maximum number.
    """
    values = {"source": source, "now": now, "limit": limit}
    return [(row.contract, row.attempts) for row in connection.execute(_DUE, values)]


def _due() -> Select[tuple[str, int]]:
    columns = token_units.c
    return (
        select(columns.contract, columns.attempts)
        .where(
            columns.source == bindparam("source"),
            columns.decimals.is_(None),
            columns.attempts < MAX_ATTEMPTS,
            columns.next_at <= bindparam("now"),
        )
        .order_by(columns.next_at, columns.contract)
        .limit(bindparam("limit"))
    )


# Asked every few seconds: building it takes several times longer than the database needs.
_DUE = _due()


def answered(connection: Connection, *, source: str, units: Mapping[str, TokenUnit]) -> None:
    """Store the units of tokens; they never change."""
    for contract, unit in units.items():
        row = _row(source, contract).where(token_units.c.decimals.is_(None))
        connection.execute(row.values(decimals=unit.decimals, symbol=unit.symbol))


def postponed(connection: Connection, *, source: str, times: Mapping[str, float]) -> None:
    """Count an attempt without an answer for some tokens, with the Unix seconds of the next."""
    for contract, next_at in times.items():
        row = _row(source, contract)
        connection.execute(row.values(attempts=token_units.c.attempts + 1, next_at=next_at))


def _row(source: str, contract: str) -> Any:
    mine = (token_units.c.source == source) & (token_units.c.contract == contract)
    return update(token_units).where(mine)


def _rows(connection: Connection, keys: Collection[Key]) -> dict[Key, TokenUnit | None]:
    """Return the stored ones of some tokens; ``None`` while their decimals are unknown."""
    if not keys:
        return {}
    names = ("source", "contract", "decimals", "symbol")
    contracts = sorted({contract for _, contract in keys})
    rows = bulk.select(connection, token_units, names, "contract", contracts)
    return {
        (source, contract): None if decimals is None else TokenUnit(decimals, symbol)
        for source, contract, decimals, symbol in rows
        if (source, contract) in keys
    }


def _count_open(connection: Connection, source: str) -> int:
    columns = token_units.c
    query = select(func.count()).where(columns.source == source, columns.decimals.is_(None))
    return connection.scalar(query) or 0
