"""The revisions of the schema, and the migration of a database to the newest one.

Each file in ``versions`` is one migration for SQLite and PostgreSQL. There are no downgrades:
back up the database before a new version of the program uses it.
"""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.schema import metadata

# Repeated here, so that the start with a new or current database does not need Alembic.
HEAD = "0012"
# The schema of version 0.1 of the program, which stored no revision.
FIRST = "0001"

_VERSION_TABLE = "alembic_version"


def bring_up_to_date(connection: Connection, *, migrate: bool) -> None:
    """Create the tables, or migrate old ones.

    Args:
        connection: Inside a database transaction, so that a failed upgrade changes nothing.
        migrate: Whether to change an empty or old database.

    Raises:
        StoreError: The database is old and ``migrate`` is false, or it is newer than this program.
    """
    found = revision(connection)
    if found == HEAD:
        return
    if not migrate:
        raise StoreError(
            f"its tables are at revision {found or 'none'}, and this program needs {HEAD}; "
            f"migrate it first ({len(pending(found))} to go)"
        )
    if found is None:
        _create(connection)
        _note(connection, HEAD)
    else:
        pending(found)  # raises an error for the revision of a newer program
        _upgrade(connection, found)


def _create(connection: Connection) -> None:
    there = inspect(connection).get_table_names()
    dialect = connection.dialect
    for table, statements in _statements(f"{dialect.name}+{dialect.driver}"):
        if table not in there:
            for statement in statements:
                connection.exec_driver_sql(statement)


@cache
def _statements(dialect_and_driver: str) -> list[tuple[str, list[str]]]:
    """Return the name of each table, and the SQL that creates it and its indexes, in order.

    ``MetaData.create_all`` writes the SQL again for each database, which takes most of its time.
    """
    dialect = make_url(f"{dialect_and_driver}://").get_dialect()()

    def sql(part: DDLElement) -> str:
        return str(part.compile(dialect=dialect))

    return [
        (table.name, [sql(CreateTable(table)), *(sql(CreateIndex(i)) for i in table.indexes)])
        for table in metadata.sorted_tables
    ]


def revision(connection: Connection) -> str | None:
    """Return the revision of a database; ``None`` if it has none of our tables."""
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        query = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608
        return connection.execute(query).scalar()
    return FIRST if "transactions" in tables else None


def pending(found: str | None) -> list[str]:
    """Return the revisions that a database at ``found`` still needs, in order.

    Raises:
        StoreError: This program does not know that revision.
    """
    from alembic.script import ScriptDirectory

    known = [script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()][::-1]
    if found is None:
        return known
    if found not in known:
        raise StoreError(
            f"its tables are at revision {found!r}, and this program knows them up to {HEAD}: "
            "a newer version of the program has used it; use that one, or another database"
        )
    return known[known.index(found) + 1 :]


_FOLDER = Path(__file__).parent


def _upgrade(connection: Connection, found: str) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        # For this transaction only: large tables take longer than other statements may.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    if not inspect(connection).has_table(_VERSION_TABLE):
        _note(connection, found)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    command.upgrade(config, "head")


def _note(connection: Connection, at: str) -> None:
    column = "version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY"
    connection.execute(text(f"CREATE TABLE {_VERSION_TABLE} ({column})"))
    connection.execute(
        text(f"INSERT INTO {_VERSION_TABLE} VALUES (:at)"),  # noqa: S608
        {"at": at},
    )
