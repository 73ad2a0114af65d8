# ruff: noqa: S608
"""Write and read many rows in one statement, as fast as the driver can.

SQLAlchemy converts each parameter of each row, which takes longer than the database takes to write
it. Here, rows go to the driver as they are: SQLite runs one prepared statement for all of them,
PostgreSQL gets each column as one array. The SQL text contains names from the schema, never values.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Boolean, Connection, Float, Integer, Table

Names = tuple[str, ...]
Rows = Sequence[tuple[Any, ...]]


def insert(connection: Connection, table: Table, names: Names, rows: Rows) -> None:
    """Insert rows, each with a value for each name."""
    if rows:
        names, rows = _without_nulls(table, names, rows)
        _execute(connection, _insert(table, names, _takes_arrays(connection)), rows)


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
    return _execute(connection, _update(table, names, where, _takes_arrays(connection)), rows)


def delete(connection: Connection, table: Table, column: str, keys: Sequence[Any]) -> None:
    """Delete the rows whose ``column`` is one of ``keys``; any number of keys works."""
    condition = _among(table, column, _takes_arrays(connection))
    sql = f"DELETE FROM {table.name} WHERE {condition}"
    connection.exec_driver_sql(sql, _array(connection, keys))


def select(
    connection: Connection, table: Table, names: Names, column: str, keys: Sequence[Any]
) -> Rows:
    """Return the rows whose ``column`` is one of ``keys``; any number of keys works."""
    condition = _among(table, column, _takes_arrays(connection))
    sql = f"SELECT {', '.join(names)} FROM {table.name} WHERE {condition}"
    return connection.exec_driver_sql(sql, _array(connection, keys)).tuples().all()


def _without_nulls(table: Table, names: Names, rows: Rows) -> tuple[Names, Rows]:
    """Leave out the columns that are NULL in all rows: a third of an event's."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    kept = {
        name: values
        for name, values in columns.items()
        if not table.c[name].nullable or values.count(None) < len(rows)
    }
    return tuple(kept), list(zip(*kept.values(), strict=True))


def _takes_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _execute(connection: Connection, sql: str, rows: Rows) -> int:
    if _takes_arrays(connection):
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        return connection.exec_driver_sql(sql, columns).rowcount
    return connection.exec_driver_sql(sql, list(rows)).rowcount


def _array(connection: Connection, keys: Sequence[Any]) -> tuple[Any]:
    return (list(keys) if _takes_arrays(connection) else orjson.dumps(list(keys)).decode(),)


@lru_cache
def _insert(table: Table, names: Names, arrays: bool) -> str:
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    if arrays:
        return f"{into} SELECT * FROM {_unnest(table, names)}"
    return f"{into} VALUES ({', '.join('?' * len(names))})"


@lru_cache
def _update(table: Table, names: Names, where: Names, arrays: bool) -> str:
    if not arrays:
        values = ", ".join(f"{name} = ?" for name in names)
        return f"UPDATE {table.name} SET {values} WHERE {' AND '.join(f'{n} = ?' for n in where)}"
    values = ", ".join(f"{name} = given.{name}" for name in names)
    # A column can be both set and compared, so the compared one gets another name.
    given = ", ".join((*names, *(f"old_{name}" for name in where)))
    chosen = " AND ".join(f"{table.name}.{name} = given.old_{name}" for name in where)
    source = f"{_unnest(table, (*names, *where))} AS given ({given})"
    return f"UPDATE {table.name} SET {values} FROM {source} WHERE {chosen}"


def _unnest(table: Table, names: Names) -> str:
    return f"unnest({', '.join(f'%s::{_array_type(table, name)}' for name in names)})"


def _among(table: Table, column: str, arrays: bool) -> str:
    if arrays:
        return f"{column} = ANY(%s::{_array_type(table, column)})"
    return f"{column} IN (SELECT value FROM json_each(?))"


def _array_type(table: Table, name: str) -> str:
    # Without column lengths: a cast would silently truncate a value that an insert rejects.
    match table.c[name].type:
        case Integer():
            return "bigint[]"
        case Float():
            return "float8[]"
        case Boolean():
            return "boolean[]"
        case _:
            return "text[]"
