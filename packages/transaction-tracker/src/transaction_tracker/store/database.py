"""The database, which the store opens, owns and uses in a single thread."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from transaction_tracker.store import migrations, postgresql, shard_row, sqlite
from transaction_tracker.store.errors import (
    DatabaseFailedError,
    StoreError,
    UnavailableError,
)
from transaction_tracker.store.lease import Lease, LeaseHolder
from transaction_tracker.store.owner import Ownership
from transaction_tracker.store.url import DatabaseUrl

Work = Callable[[Connection], Any]

# After these errors, the connection or the whole database is unusable.
_FATAL_ERRORS = (OperationalError, InterfaceError, InternalError)

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Failed:
    """The result of work that raised ``error``; its changes were rolled back."""

    error: Exception


class Database:
    """A database and its ownership. All methods block.

    Args:
        url: A file, ``":memory:"``, or the URL of a PostgreSQL database.
        holder: Owns a PostgreSQL database by a lease. Default: by a lock, until it is closed.
        on_lost: Called in a thread when another program has taken over the lease.

    Raises:
        ValueError: A lease of a database that is not PostgreSQL.
    """

    def __init__(
        self,
        url: str | Path | DatabaseUrl,
        holder: LeaseHolder | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.url: DatabaseUrl = DatabaseUrl.of(url)
        if holder is not None and not self.url.is_postgresql:
            raise ValueError(f"a lease needs a PostgreSQL database, got {self.url}")
        self._holder = holder
        self._on_lost = on_lost
        self._lease: Lease | None = None
        self._engine: Engine | None = None
        self._ownership: Ownership | None = None
        self._wire: postgresql.Wire | None = None

    def open(self, *, migrate: bool = True) -> "Database":
        """Acquire the ownership of the database, and migrate its tables.

        Args:
            migrate: Whether to create missing tables and migrate old ones.

        Raises:
            UnavailableError: The server does not answer, or another program owns the database.
            NotOwnerError: Another program has the lease of the database.
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
        """Run all work in one database transaction.

        Returns:
            The results. For work that raised, the result is ``Failed``, and only its own changes
            are rolled back.

        Raises:
            DatabaseFailedError: The database failed, and nothing was written.
            NotOwnerError: Another program has taken over the lease, and nothing was written.
        """
        with self._transaction() as connection:
            if len(work) == 1:
                # Without a savepoint: its changes are those of the whole transaction.
                return [self._result(work[0], connection, undo=connection.rollback)]
            return [self._result_among_others(function, connection) for function in work]

    def stream(self, work: Callable[[Connection], Iterator[Any]]) -> Iterator[Any]:
        """Yield the items of a generator, in one database transaction."""
        with self._transaction() as connection:
            yield from work(connection)

    def cut_off(self) -> None:
        """Shut down the connection to the server, from any thread; waiting calls raise at once."""
        if self._wire is not None:
            self._wire.cut_off()

    def close(self) -> None:
        """Close the connection, and release the ownership."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._wire is not None:
            self._wire.wait_for_end()
            self._wire.close()
        # After the connection: see `owner` for what releasing it earlier would break.
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None
        # After the connection: nothing of it is under way when the next owner starts.
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _open(self, migrate: bool) -> None:
        if self.url.path is not None:
            self._ownership = sqlite.own(self.url.path)
        if self.url.shard is not None:
            shard_row.create_schema(self.url, self.url.shard)
        if self._holder is not None:
            # Once for each open: a connection can be replaced, a claim cannot.
            self._lease = self._holder.claim(self.url, self._on_lost)
        if self.url.is_postgresql:
            lock = postgresql.owner_lock(self.url.shard)
            self._engine = postgresql.engine(self.url.reveal(), self._sharing(), lock)
            self._connect_to_server(self._engine)
        else:
            self._engine = sqlite.engine(self.url.reveal())
            self._connect(self._engine)
        if self._ownership is not None:
            self._ownership.check()
        with self._transaction() as connection:
            # First: nothing is changed in a schema that belongs to another shard.
            if self.url.is_postgresql:
                shard_row.bind(connection, self.url.shard)
            migrations.bring_up_to_date(connection, migrate=migrate)

    def _sharing(self) -> postgresql.Sharing | None:
        holder = self._holder
        return None if holder is None else postgresql.Sharing(holder.id, holder.seconds)

    def _connect_to_server(self, engine: Engine) -> None:
        """Connect to a server, and check within a timeout that it answers.

        The timeout does not apply to migrations, which can take hours.
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
                if self._lease is not None:
                    self._lease.fence(connection)
                yield connection
        except DBAPIError as error:
            # Do not chain the driver's error: it contains the password, and sometimes a row.
            failure = DatabaseFailedError(self._describe(error))
            raise failure.with_traceback(error.__traceback__) from None

    def _result_among_others(self, work: Work, connection: Connection) -> Any:
        savepoint = connection.begin_nested()
        result = self._result(work, connection, undo=savepoint.rollback)
        if savepoint.is_active:
            savepoint.commit()
        return result

    def _result(self, work: Work, connection: Connection, undo: Callable[[], None]) -> Any:
        """Return the result of work; if it raises, undo its changes and return ``Failed``."""
        try:
            return work(connection)
        except _FATAL_ERRORS:
            raise
        except DBAPIError as error:
            failed = Failed(DatabaseFailedError(self.url.describe(error)))
        except Exception as error:  # raised in the caller of the work
            failed = Failed(error)
        undo()
        return failed
