"""A database in a file, or in memory: how it is opened so that no power cut loses a commit."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event

from transaction_tracker.store import owner
from transaction_tracker.store.errors import StoreError

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "busy_timeout = 5000",
    # A block that changes thousands of rows changes thousands of pages: they stay in memory
    # until the commit, and are copied from the log into the file every few commits only.
    "cache_size = -32768",
    "wal_autocheckpoint = 4000",
    # What is taken back when work fails is kept in memory until then, not in a file.
    "temp_store = MEMORY",
)


def own(path: Path) -> owner.Ownership:
    """Make this program the owner of the file, or raise ``StoreError``."""
    try:
        return owner.acquire(path)
    except OSError as error:
        raise StoreError(str(error.strerror)) from error


def engine(url: URL) -> Engine:
    """Prepare the one connection."""
    made = create_engine(
        url,
        # One connection for ever: there is one writer, and it is the store's thread.
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own transactions know neither savepoints nor reads: SQLAlchemy begins them.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # At once as a writer: a read that becomes a write could find somebody else's in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def cannot_connect(_why: str) -> type[StoreError]:
    """Say what kind of error it is that the file was not opened: waiting does not help."""
    return StoreError
