"""The database file: opened, owned and asked in one thread, the store's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import DatabaseError

from transaction_tracker.store import owner
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.schema import metadata

MEMORY = ":memory:"

Work = Callable[[Connection], Any]


class Database:
    """One open database. Everything here blocks.

    Args:
        path: The file, made when it is missing, or ``":memory:"``.

    Raises:
        StoreError: The file cannot be used, or another program uses it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = None if str(path) == MEMORY else Path(path)
        if self._path is not None:
            _own(self._path)
        self._engine = _engine(self._path)
        try:
            metadata.create_all(self._engine)
        except DatabaseError as error:
            self.close()
            raise StoreError(f"cannot use database {path}: {error.orig}") from error

    def run(self, work: Sequence[Work]) -> list[Any]:
        """Do all the work in one database transaction.

        Returns:
            The results; a ``StoreError`` that work raised stands in its result's place.
        """
        with self._engine.begin() as connection:
            return [_result(one, connection) for one in work]

    def close(self) -> None:
        """Close the file and let other programs have it."""
        self._engine.dispose()
        if self._path is not None:
            owner.release(self._path)


def _own(path: Path) -> None:
    try:
        owner.acquire(path)
    except OSError as error:
        raise StoreError(f"cannot use database {path}: {error.strerror}") from error


def _result(work: Work, connection: Connection) -> Any:
    try:
        return work(connection)
    except StoreError as error:
        return error


def _engine(path: Path | None) -> Engine:
    engine = create_engine(
        "sqlite://" if path is None else f"sqlite:///{path}",
        # One connection for ever: there is one writer, and it is this thread.
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own transactions know neither savepoints nor reads: SQLAlchemy begins them.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # At once as a writer: a read that becomes a write could find somebody else's in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
