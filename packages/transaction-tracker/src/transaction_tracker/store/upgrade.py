"""Migrate a database before an application uses it."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from transaction_tracker.store import migrations, postgresql
from transaction_tracker.store.database import Database
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.url import DatabaseUrl


def migrate(database: str | Path | DatabaseUrl) -> None:
    """Create the tables of a database, or migrate old ones.

    Blocks. One database transaction: everything is migrated, or nothing.

    Args:
        database: A file, or the URL of a PostgreSQL database.

    Raises:
        StoreError: The database cannot be used, another program uses it, or it is newer than this
            program.
    """
    Database(database).open(migrate=True).close()


def pending_revisions(database: str | Path | DatabaseUrl) -> list[str]:
    """Return the revisions that ``migrate`` would apply, in order; change nothing.

    Blocks. Works while another program uses the database.

    Raises:
        StoreError: The database cannot be read, or it is newer than this program.
    """
    url = DatabaseUrl.of(database)
    if not url.is_postgresql and (url.path is None or not url.path.exists()):
        return migrations.pending(None)
    try:
        with _visit(url) as engine, engine.connect() as connection:
            return migrations.pending(migrations.revision(connection))
    except DBAPIError as error:
        why = url.describe(error)
        raise StoreError(f"cannot read database {url}: {why}") from None
    except StoreError as error:
        raise StoreError(f"cannot use database {url}: {error}") from None


def _visit(url: DatabaseUrl) -> AbstractContextManager[Engine]:
    if url.is_postgresql:
        return postgresql.visit(url.reveal(), postgresql.MAX_OPEN_SECONDS)
    return nullcontext(create_engine(url.reveal(), poolclass=NullPool, hide_parameters=True))
