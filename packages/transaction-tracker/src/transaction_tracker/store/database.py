"""The database: opened, owned and asked in one thread, the store's."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from transaction_tracker.store import migrations, postgresql, sqlite
from transaction_tracker.store.errors import (
    DatabaseFailedError,
    StoreError,
    UnavailableError,
)
from transaction_tracker.store.owner import Ownership
from transaction_tracker.store.url import DatabaseUrl

Work = Callable[[Connection], Any]

# After these the connection, or the whole database, is not what it was.
_BROKEN = (OperationalError, InterfaceError, InternalError)

logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Failed:
    """Stands where a result would: the work raised ``error``, and left nothing behind."""

    error: Exception


class Database:
    """One database, and the right to write to it. Everything here blocks.

    Args:
        url: A file, ``":memory:"``, or the address of a PostgreSQL database.
    """

    def __init__(self, url: str | Path | DatabaseUrl) -> None:
        self.url = DatabaseUrl.of(url)
        self._engine: Engine | None = None
        self._ownership: Ownership | None = None
        self._wire: postgresql.Wire | None = None

    def open(self, *, migrate: bool = True) -> "Database":
        """Become the database's one writer, and bring its tables up to date.

        Args:
            migrate: Whether tables that are missing or old are made and changed.

        Raises:
            UnavailableError: A server does not answer, or another program uses its database.
            StoreError: The database cannot be used.
        """
        try:
            self._open(migrate)
        except StoreError as error:
            self.close()
            raise type(error)(f"cannot use database {self.url}: {error}") from error.__cause__
        except BaseException:
            self.close()
            raise
        return self

    def run(self, work: Sequence[Work]) -> list[Any]:
        """Do all the work in one database transaction.

        Returns:
            The results. Work that raised has ``Failed`` in its result's place, and what it had
            written is taken back; the other work counts.

        Raises:
            DatabaseFailedError: The database is at fault, and nothing was written.
        """
        with self._transaction() as connection:
            return [self._result(one, connection) for one in work]

    def stream(self, work: Callable[[Connection], Iterator[Any]]) -> Iterator[Any]:
        """Give what a generator reads, one piece at a time, in one database transaction."""
        with self._transaction() as connection:
            yield from work(connection)

    def cut_off(self) -> None:
        """Break the connection to a server, from any thread: what waits for it raises at once."""
        if self._wire is not None:
            self._wire.cut_off()

    def close(self) -> None:
        """Close the connection and let other programs have the database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._wire is not None:
            self._wire.close()
        # After the connection: see `owner` for what closing the file earlier would do.
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None

    def _open(self, migrate: bool) -> None:
        if self.url.path is not None:
            self._ownership = sqlite.own(self.url.path)
        kind = postgresql if self.url.is_postgresql else sqlite
        self._engine = kind.engine(self.url.reveal())
        if self.url.is_postgresql:
            self._meet(self._engine)
        else:
            self._connect(self._engine)
        if self._ownership is not None:
            self._ownership.check()
        with self._transaction() as connection:
            migrations.bring_up_to_date(connection, migrate=migrate)

    def _meet(self, engine: Engine) -> None:
        """Connect to a server, and check within a time limit that it answers.

        The limit does not hold for what follows: a migration can take hours.
        """
        self._wire = postgresql.Wire()
        self._wire.watch(engine)
        with self._wire.limit(postgresql.MAX_OPEN_SECONDS):
            self._connect(engine)
            try:
                with self._transaction() as connection:
                    migrations.revision(connection)
            except DatabaseFailedError as error:
                if not self._wire.is_cut:
                    raise
                raise UnavailableError(str(error)) from None

    def _connect(self, engine: Engine) -> None:
        try:
            engine.connect().close()
        except DBAPIError as error:
            why = self._describe(error)
            kind = postgresql if self.url.is_postgresql else sqlite
            raise kind.cannot_connect(why)(why) from None

    def _describe(self, error: DBAPIError) -> str:
        if self._wire is not None and self._wire.is_cut:
            return "the server did not answer in time"
        return self.url.describe(error)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._engine is None:
            raise StoreError(f"database {self.url} is not open")
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            # Not as its cause: it holds the password, and perhaps a row.
            failure = DatabaseFailedError(self._describe(error))
            raise failure.with_traceback(error.__traceback__) from None

    def _result(self, work: Work, connection: Connection) -> Any:
        savepoint = connection.begin_nested()
        try:
            result = work(connection)
        except _BROKEN:
            raise
        except DBAPIError as error:
            savepoint.rollback()
            return Failed(DatabaseFailedError(self.url.describe(error)))
        except Exception as error:  # the caller that asked for the work gets it
            savepoint.rollback()
            return Failed(error)
        savepoint.commit()
        return result
