"""`StoreConnection`: one connection to PostgreSQL that is made again when it is lost."""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg

from beamish.cluster.errors import StoreUnavailableError

STATEMENT_SECONDS = 10.0
_CONNECT_SECONDS = 5


class StoreConnection:
    """One connection in autocommit mode, for one statement at a time.

    Args:
        dsn: The connection string.
        name: Its ``application_name``.
    """

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self._name = name
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def run(
        self, sql: str, parameters: Mapping[str, Any], seconds: float = STATEMENT_SECONDS
    ) -> list[Any]:
        """Run a statement; return its rows.

        Args:
            sql: The statement.
            parameters: Its parameters.
            seconds: How long it can take; after that, the connection is ended.

        Raises:
            StoreUnavailableError: The server did not answer; the statement can have run.
        """
        async with self._turn:
            statement = asyncio.ensure_future(self._run(sql, parameters))
            try:
                await asyncio.wait([statement], timeout=seconds)
            finally:
                if not statement.done():
                    self._shut_down()
                    statement.cancel()
                    statement.add_done_callback(_ignore)
            if not statement.done():
                raise StoreUnavailableError(f"no answer within {seconds:g} s")
            try:
                return statement.result()
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                await self.close()
                # Its first line: the others can have the statement and its parameters.
                raise StoreUnavailableError(str(error).partition("\n")[0]) from error

    async def _run(self, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                application_name=self._name,
            )
        # Without parameters, a statement can have several commands, which are one transaction.
        cursor = await connection.execute(
            sql,  # pyright: ignore[reportArgumentType] - a constant of `schema`
            parameters or None,
            binary=bool(parameters),
        )
        return await cursor.fetchall() if cursor.description else []

    @property
    def backend(self) -> int | None:
        """The process id of its backend, or ``None`` without a connection."""
        connection = self._connection
        return None if connection is None or connection.closed else connection.info.backend_pid

    def _shut_down(self) -> None:
        """End the connection without waiting, although a statement waits for an answer.

        Cancelling the statement would wait for the server, which does not answer.
        """
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            with suppress(OSError, psycopg.Error):
                copy = socket.socket(fileno=os.dup(connection.fileno()))
                with copy:
                    copy.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()


def _ignore(statement: asyncio.Future[Any]) -> None:
    if not statement.cancelled():
        statement.exception()
