# ruff: noqa: S608
"""Write and read many rows in one statement, as fast as the driver can.

SQLAlchemy converts each parameter of each row, which takes longer than the database takes to write
it. Here, rows go to the driver as they are: SQLite runs one prepared statement for all of them,
PostgreSQL gets all of them as one JSON text, because its driver converts lists value by value, too.
The SQL text contains names from the schema, never values.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Boolean, Connection, Float, Integer, Table

from transaction_tracker.slices import slices

# Rows of one statement on PostgreSQL: no other thread runs while their text is made.
_ROWS_IN_TEXT = 1_000

Names = tuple[str, ...]
Rows = Sequence[tuple[Any, ...]]


def insert(connection: Connection, table: Table, names: Names, rows: Rows) -> None:
    """Insert rows, each with a value for each name."""
    if rows:
        names, rows = _without_nulls(table, names, rows)
        _execute(connection, _insert(table, names, _is_postgresql(connection)), names, rows)


def update(connection: Connection, table: Table, names: Names, where: Names, rows: Rows) -> int:
    """Update rows, and return the number of rows that were found.

    Args:
        connection: Inside a database transaction.
        table: The table of the rows.
        names: The columns to set.
        where: The columns that select a row by equality.
        rows: Each with the values of ``names``, then those of ``where``. Two of them must not
            select the same row.
    """
    if not rows:
        return 0
    sql = _update(table, names, where, _is_postgresql(connection))
    return _execute(connection, sql, (*names, *map(_compared, where)), rows)


def delete(connection: Connection, table: Table, column: str, keys: Sequence[Any]) -> None:
    """Delete the rows whose ``column`` is one of ``keys``; any number of keys works."""
    condition = _among(table, column, _is_postgresql(connection))
    sql = f"DELETE FROM {table.name} WHERE {condition}"
    connection.exec_driver_sql(sql, (_json(list(keys)),))


def select(
    connection: Connection, table: Table, names: Names, column: str, keys: Sequence[Any]
) -> Rows:
    """Return the rows whose ``column`` is one of ``keys``; any number of keys works."""
    condition = _among(table, column, _is_postgresql(connection))
    sql = f"SELECT {', '.join(names)} FROM {table.name} WHERE {condition}"
    return connection.exec_driver_sql(sql, (_json(list(keys)),)).tuples().all()


def _without_nulls(table: Table, names: Names, rows: Rows) -> tuple[Names, Rows]:
    """Leave out the columns that are NULL in all rows: a third of an event's."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    kept = {
        name: values
        for name, values in columns.items()
        if not table.c[name].nullable or values.count(None) < len(rows)
    }
    return tuple(kept), list(zip(*kept.values(), strict=True))


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _execute(connection: Connection, sql: str, names: Names, rows: Rows) -> int:
    if _is_postgresql(connection):
        count = 0
        for part in slices(rows, _ROWS_IN_TEXT):
            records = [dict(zip(names, row, strict=True)) for row in part]
            count += connection.exec_driver_sql(sql, (_json(records),)).rowcount
        return count
    return connection.exec_driver_sql(sql, list(rows)).rowcount


def _json(values: list[Any]) -> str:
    return orjson.dumps(values).decode()


@lru_cache
def _insert(table: Table, names: Names, is_postgresql: bool) -> str:
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    if is_postgresql:
        types = {name: _type(table, name) for name in names}
        return f"{into} SELECT {', '.join(names)} FROM {_records(types)}"
    return f"{into} VALUES ({', '.join('?' * len(names))})"


@lru_cache
def _update(table: Table, names: Names, where: Names, is_postgresql: bool) -> str:
    if not is_postgresql:
        values = ", ".join(f"{name} = ?" for name in names)
        return f"UPDATE {table.name} SET {values} WHERE {' AND '.join(f'{n} = ?' for n in where)}"
    values = ", ".join(f"{name} = given.{name}" for name in names)
    chosen = " AND ".join(f"{table.name}.{name} = given.{_compared(name)}" for name in where)
    types = {name: _type(table, name) for name in names}
    types |= {_compared(name): _type(table, name) for name in where}
    return f"UPDATE {table.name} SET {values} FROM {_records(types)} WHERE {chosen}"


def _compared(name: str) -> str:
    # A column can be both set and compared, so the compared one gets another name.
    return f"old_{name}"


def _records(types: Mapping[str, str]) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return f"json_to_recordset(%s::json) AS given ({columns})"


def _among(table: Table, column: str, is_postgresql: bool) -> str:
    if is_postgresql:
        # As an array: PostgreSQL looks its items up in an index, also in a large table.
        kind = _type(table, column)
        return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(%s::json)::{kind}))"
    return f"{column} IN (SELECT value FROM json_each(?))"


def _type(table: Table, name: str) -> str:
    # Without column lengths: a cast would silently truncate a value that an insert rejects.
    match table.c[name].type:
        case Integer():
            return "bigint"
        case Float():
            return "float8"
        case Boolean():
            return "boolean"
        case _:
            return "text"
