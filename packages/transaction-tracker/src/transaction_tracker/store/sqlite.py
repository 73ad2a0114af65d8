"""Open an SQLite database in a file or in memory, so that a power cut loses no commit."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event

from transaction_tracker.store import owner
from transaction_tracker.store.errors import StoreError

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "busy_timeout = 5000",
    # A block can change thousands of rows and as many pages: they stay in memory until the commit,
    # and are copied from the log into the file only every few commits.
    "cache_size = -32768",
    "wal_autocheckpoint = 4000",
    # Savepoints of failed work are kept in memory, not in a file.
    "temp_store = MEMORY",
)


def own(path: Path) -> owner.Ownership:
    """Acquire the ownership of the file, or raise ``StoreError``."""
    try:
        return owner.acquire(path)
    except OSError as error:
        raise StoreError(str(error.strerror)) from error


def engine(url: URL) -> Engine:
    """Create the engine of the only connection."""
    made = create_engine(
        url,
        # A single connection: the store's thread is the only writer.
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own transactions support neither savepoints nor reads: SQLAlchemy begins them.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # Lock for writing at once: a read that turns into a write could find that another connection
    # has written meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def cannot_connect(_why: str) -> type[StoreError]:
    """Return the error class for a file that cannot be opened: a retry does not help."""
    return StoreError
