"""The versions of the schema, and how a database comes from each to the newest.

Each file in ``versions`` is one step, for SQLite and PostgreSQL alike. There is no way back:
keep a copy of the database before a new version of the program sees it.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.schema import metadata

# Named here too, so that a database that is up to date needs nothing from Alembic at a start.
HEAD = "0004"
# What the program's version 0.1 made, which did not note a version.
FIRST = "0001"

_VERSION_TABLE = "alembic_version"


def bring_up_to_date(connection: Connection, *, migrate: bool) -> None:
    """Make the tables, or change old ones into what this program needs.

    Args:
        connection: Inside a database transaction: an upgrade happens as a whole or not at all.
        migrate: Whether a database that is empty or old may be changed.

    Raises:
        StoreError: It is older and may not be changed, or newer than this program.
    """
    found = revision(connection)
    if found == HEAD:
        return
    behind = pending(found)
    if not migrate:
        raise StoreError(
            f"its tables are at revision {found or 'none'}, and this program needs {HEAD}; "
            f"migrate it first ({len(behind)} to go)"
        )
    if found is None:
        metadata.create_all(connection)
        _note(connection, HEAD)
    else:
        _upgrade(connection, found)


def revision(connection: Connection) -> str | None:
    """Say which version of the schema a database has; ``None`` when it has none of our tables."""
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        query = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608
        return connection.execute(query).scalar()
    return FIRST if "transactions" in tables else None


def pending(found: str | None) -> list[str]:
    """List the revisions that a database at ``found`` still has to go through.

    Raises:
        StoreError: This program does not know that revision.
    """
    from alembic.script import ScriptDirectory

    known = [one.revision for one in ScriptDirectory(str(_FOLDER)).walk_revisions()][::-1]
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
        # Until the end of this transaction: large tables take longer than a service may wait.
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
