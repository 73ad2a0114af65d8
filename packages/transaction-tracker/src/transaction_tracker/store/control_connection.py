"""A connection for the lease, apart from the store's connection."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from transaction_tracker.store import postgresql
from transaction_tracker.store.errors import UnavailableError
from transaction_tracker.store.url import DatabaseUrl

P = ParamSpec("P")
T = TypeVar("T")


class ControlConnection:
    """An autocommit connection that is made again after an error.

    All methods block. One thread at a time can call them.

    Renewals and looks need a connection of their own: the store's is busy for as long as one of its
    transactions lasts, and a lease of three seconds must outlast a transaction of four.

    Args:
        url: URL of the database.
        holder: Id of the program, which the names of its connections contain.
        seconds: Timeout of each call. A server that is silent for longer is cut off.
    """

    def __init__(self, url: DatabaseUrl, holder: str, seconds: float) -> None:
        self._url = url
        self._holder = holder
        self._seconds = seconds
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._wire = postgresql.Wire()

    def run(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call ``function`` with the connection, and return its result.

        Raises:
            UnavailableError: The server cannot be used now; the next call connects again.
            StoreError: The server refuses the connection, and will refuse the next one.
        """
        connection = self._connection or self._connect()
        try:
            with self._wire.limit(self._seconds):
                return function(connection, *args, **kwargs)
        except DBAPIError as error:
            why = self._describe(error)
            self.close()
            raise UnavailableError(why) from None  # not chained: see DatabaseFailedError

    def close(self) -> None:
        """Close the connection; the next call opens one."""
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        # The engine closes only connections that were returned to it.
        if connection is not None:
            connection.close()
        if engine is not None:
            engine.dispose()
        self._wire.close()

    def _connect(self) -> Connection:
        self._wire = postgresql.Wire()
        self._engine = postgresql.control_engine(
            self._url.reveal(), self._holder, self._seconds, self._wire
        )
        try:
            with self._wire.limit(self._seconds):
                self._connection = self._engine.connect()
        except DBAPIError as error:
            why = self._describe(error)
            self.close()
            raise postgresql.cannot_connect(why)(why) from None
        return self._connection

    def _describe(self, error: DBAPIError) -> str:
        if self._wire.is_cut:
            return "the server did not answer in time"
        return self._url.describe(error)
