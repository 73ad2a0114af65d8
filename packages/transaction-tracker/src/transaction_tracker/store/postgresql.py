"""A database on a PostgreSQL server: how it is reached, and who may write to it.

The right to write is a lock of the session: between program and server there must be no pooler
that gives a session to one program after the other.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Engine, NullPool, StaticPool, create_engine, event

from transaction_tracker.store.errors import StoreError, UnavailableError

# Any number will do, as long as every version of this program takes the same.
_OWNER_LOCK = 0x7478_7472_6163_6B00  # "txtrack"

# Both sides find out within half a minute that the other is gone, or the next program could
# not have the lock of one whose machine was switched off.
_KEEPALIVE = {"idle": 10, "interval": 5, "count": 3}
_CLIENT = {
    "connect_timeout": 5,
    "application_name": "txtrack",
    **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
    "tcp_user_timeout": 25_000,  # milliseconds for which what was sent may stay unanswered
}
# The callers of the store wait for 60 s: by then a statement, for a lock or in earnest, must have
# ended. A migration may take longer.
_STATEMENT_SECONDS = 45
# A server can be silent without being gone: stopped, or behind a network that drops everything
# while its kernel or a proxy still confirms what is sent.
MAX_SILENCE_SECONDS = 55.0
MAX_OPEN_SECONDS = 15.0
_SESSION = {
    "synchronous_commit": "on",
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    "client_min_messages": "warning",
    **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
}

# What does not get better by waiting for it.
_HOPELESS = (
    "does not exist",
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "invalid connection option",
    "connection is bad: invalid",
)


def engine(url: URL) -> Engine:
    """Prepare the one connection, which owns the database from its first moment."""
    if find_spec("psycopg") is None:
        raise StoreError("PostgreSQL needs a driver: pip install 'psycopg[binary]'")
    made = create_engine(
        url,
        # One connection for ever: there is one writer, and it is the store's thread.
        poolclass=StaticPool,
        connect_args=_client_options(url),
        hide_parameters=True,
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "connect", _accept_nul)
    return made


class Wire:
    """The socket of a connection: cut off, it ends what waits for the server, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_cut = False

    def watch(self, engine: Engine) -> None:
        """Know the socket of each connection that the engine makes, from its first moment."""
        event.listen(engine, "connect", self._attach, insert=True)

    def cut_off(self) -> None:
        """Break the connection, and every later one."""
        with self._lock:
            self.is_cut = True
            self._shut()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Cut off the connection if the block takes longer than ``seconds``."""
        timer = threading.Timer(seconds, self.cut_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Forget the socket, once its connection is closed."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _attach(self, connection: Any, _record: object) -> None:
        self.close()
        with self._lock:
            # A descriptor of our own: the driver closes its own at any time, and the number
            # would then be that of another file.
            self._socket = socket.socket(fileno=os.dup(connection.fileno()))
            if self.is_cut:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed by the server already
                self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def visit(url: URL, seconds: float = MAX_SILENCE_SECONDS) -> Iterator[Engine]:
    """Give a program that does not own the database connections to it, which fail after a time."""
    engine = create_engine(
        url, poolclass=NullPool, connect_args=_client_options(url), hide_parameters=True
    )
    event.listen(engine, "connect", _accept_nul)
    wire = Wire()
    wire.watch(engine)
    try:
        with wire.limit(seconds):
            yield engine
    finally:
        engine.dispose()
        wire.close()


def cannot_connect(why: str) -> type[StoreError]:
    """Say what kind of error it is that a connection was not made, by the driver's text."""
    return StoreError if any(words in why for words in _HOPELESS) else UnavailableError


def _client_options(url: URL) -> dict[str, Any]:
    return {name: value for name, value in _CLIENT.items() if name not in url.query}


def _accept_nul(connection: Any, _record: object) -> None:
    """Write U+FFFD where a text has NUL, which PostgreSQL cannot store.

    SQLite stores it. Without this, a path with ``%00`` would look like a database that fails, and
    so would a revert reason with NUL, which would stop the chain.
    """
    from psycopg.types.string import StrDumperUnknown

    class NulDumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, NulDumper)


def _prepare(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, value in _SESSION.items():
            cursor.execute(f"SET {name} = '{value}'")
        locked = cursor.execute("SELECT pg_try_advisory_lock(%s)", [_OWNER_LOCK]).fetchone()
    # Outside a transaction: the lock goes with the connection, however that ends.
    connection.commit()
    if not locked[0]:
        connection.close()
        raise UnavailableError("it is in use by another program")
