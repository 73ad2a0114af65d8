"""Connect to a PostgreSQL database, and own it.

The ownership is an advisory lock of the session. So a connection pooler between program and server
must not let several programs share a session.

A program without a lease takes the lock for itself. Programs with a lease share it: `lease` decides
between them, and a frozen one, whose session the server keeps, holds up none of them. So the lock
keeps a program without a lease, such as one of an older version, apart from those with one.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Engine, NullPool, StaticPool, create_engine, event

from transaction_tracker.domain.sharding import Shard
from transaction_tracker.store.errors import StoreError, UnavailableError

# An arbitrary number that must be the same in all versions of this program. The numbers after it
# belong to the shards of a database.
OWNER_LOCK = 0x7478_7472_6163_6B00  # "txtrack"

# Both sides detect a lost peer within half a minute. Otherwise the next program could not acquire
# the lock of a program whose machine was switched off.
_KEEPALIVE = {"idle": 10, "interval": 5, "count": 3}
_CLIENT = {
    "connect_timeout": 5,
    "application_name": "txtrack",
    **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
    "tcp_user_timeout": 25_000,  # milliseconds until unacknowledged data closes the connection
}
# Calls to the store time out after 60 s; by then a statement, waiting for a lock or running, must
# have ended. Migrations have no limit.
_STATEMENT_SECONDS = 45
# A connection can be open without an answer: the server is stopped, or a network drops all
# packets while the server's kernel or a proxy still acknowledges data.
SILENCE_TIMEOUT_SECONDS = 55.0
# How long a closed store waits until the server has released its lock, so that the next program can
# start at once. Without a response, the server releases it when it notices the end.
END_SECONDS = 2.0
_MAX_READ_BYTES = 4_096
MAX_OPEN_SECONDS = 15.0
# How long a claim waits for a transaction of an owner whose lease has run out.
CLAIM_LOCK_MILLISECONDS = 500
_SESSION = {
    "synchronous_commit": "on",
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    "client_min_messages": "warning",
    **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
}

# Texts of errors that a retry does not solve.
_PERMANENT_ERRORS = (
    "does not exist",
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "invalid connection option",
    "connection is bad: invalid",
)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a connection belongs to a program that owns the database by a lease.

    Attributes:
        holder: Id of the program.
        seconds: Seconds after which unacknowledged data closes the connection.
    """

    holder: str
    seconds: float

    def client_options(self) -> dict[str, Any]:
        """Return the options of the driver, which override those of the URL."""
        return {
            # By this name, the next owner finds the connections of one that was frozen.
            "application_name": application_name(self.holder),
            "tcp_user_timeout": int(self.seconds * 1000),
        }


def owner_lock(shard: Shard | None) -> int:
    """Return the number of the lock of a database, or of one of its shards."""
    return OWNER_LOCK if shard is None else OWNER_LOCK + 1 + shard.number


def engine(url: URL, sharing: Sharing | None = None, lock: int = OWNER_LOCK) -> Engine:
    """Create the engine of the only connection, which acquires the ownership when it is made.

    Args:
        url: URL of the database.
        sharing: For a program with a lease. Default: no other program can own the database.
        lock: Number of the lock (`owner_lock`).
    """
    _require_driver()
    made = create_engine(
        url,
        # A single connection: the store's thread is the only writer.
        poolclass=StaticPool,
        connect_args=_client_options(url) | (sharing.client_options() if sharing else {}),
        hide_parameters=True,
    )
    prepare = _prepare if sharing is None else _prepare_shared
    event.listen(made, "connect", lambda connection, _: prepare(connection, lock))
    event.listen(made, "connect", _replace_nul)
    return made


def control_engine(url: URL, holder: str, seconds: float, wire: "Wire") -> Engine:
    """Create the engine of an autocommit connection that needs no ownership, for a lease.

    Args:
        url: URL of the database.
        holder: Id of the program.
        seconds: Timeout of a statement, and of unacknowledged data.
        wire: Can cut off the connection from another thread.
    """
    _require_driver()
    options = {"connect_timeout": max(2, int(seconds))}  # for the driver, 1 is 2
    made = create_engine(
        url,
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        connect_args=_client_options(url) | options | Sharing(holder, seconds).client_options(),
        hide_parameters=True,
    )
    session = {
        **_SESSION,
        "statement_timeout": f"{int(seconds * 1000)}ms",
        "lock_timeout": f"{CLAIM_LOCK_MILLISECONDS}ms",
    }
    event.listen(made, "connect", lambda connection, _: _configure(connection, session))
    wire.watch(made)
    return made


def application_name(holder: str) -> str:
    """Return the name of the connections of a program with a lease."""
    return f"txtrack {holder}"


class Wire:
    """The socket of a connection, which any thread can cut off to end waiting for the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_cut: bool = False

    def watch(self, engine: Engine) -> None:
        """Track the socket of each connection of the engine, from before its first statement."""
        event.listen(engine, "connect", self._attach, insert=True)

    def cut_off(self) -> None:
        """Shut down the connection and all later ones."""
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

    def wait_for_end(self, seconds: float = END_SECONDS) -> None:
        """Wait until the server has ended a connection that is closed, and released its lock.

        It does so later than the driver closes the connection. Our descriptor keeps the socket
        open, and reads its end.
        """
        with suppress(OSError):
            if self._socket is not None:
                self._socket.settimeout(seconds)
                while self._socket.recv(_MAX_READ_BYTES):
                    pass

    def close(self) -> None:
        """Close our descriptor of the socket, after its connection is closed."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _attach(self, connection: Any, _record: object) -> None:
        self.close()
        with self._lock:
            # Duplicate the descriptor: the driver can close its own at any time, and its number
            # can then belong to another file.
            self._socket = socket.socket(fileno=os.dup(connection.fileno()))
            if self.is_cut:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server has closed it already
                self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def visit(url: URL, seconds: float = SILENCE_TIMEOUT_SECONDS) -> Iterator[Engine]:
    """Yield an engine that needs no ownership; cut off its connections after ``seconds``."""
    engine = create_engine(
        url, poolclass=NullPool, connect_args=_client_options(url), hide_parameters=True
    )
    event.listen(engine, "connect", _replace_nul)
    wire = Wire()
    wire.watch(engine)
    try:
        with wire.limit(seconds):
            yield engine
    finally:
        engine.dispose()
        wire.close()


def cannot_connect(why: str) -> type[StoreError]:
    """Return the error class for a failed connection, by the driver's text."""
    return StoreError if any(text in why for text in _PERMANENT_ERRORS) else UnavailableError


def _client_options(url: URL) -> dict[str, Any]:
    return {name: value for name, value in _CLIENT.items() if name not in url.query}


def _replace_nul(connection: Any, _record: object) -> None:
    """Store U+FFFD for NUL in texts, because PostgreSQL cannot store NUL.

    SQLite can. Without this, a path with ``%00`` would look like a database failure, and a revert
    reason with NUL would stop the chain.
    """
    from psycopg.types.string import StrDumperUnknown

    class NulDumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, NulDumper)


def _require_driver() -> None:
    if find_spec("psycopg") is None:
        raise StoreError("PostgreSQL needs a driver: pip install 'transaction-tracker[postgresql]'")


def _prepare(connection: Any, lock: int) -> None:
    _configure(connection, _SESSION)
    _lock(connection, "pg_try_advisory_lock", lock)


def _prepare_shared(connection: Any, lock: int) -> None:
    # A fence must see the newest epoch, whatever the default of the database is.
    _configure(connection, {**_SESSION, "default_transaction_isolation": "read committed"})
    _lock(connection, "pg_try_advisory_lock_shared", lock)


def _configure(connection: Any, session: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        for name, value in session.items():
            cursor.execute(f"SET {name} = '{value}'")
    connection.commit()


def _lock(connection: Any, function: str, lock: int) -> None:
    with connection.cursor() as cursor:
        locked = cursor.execute(f"SELECT {function}(%s)", [lock]).fetchone()
    # The lock belongs to the session, not to this transaction: it is released with the connection.
    connection.commit()
    if not locked[0]:
        connection.close()
        raise UnavailableError("it is in use by another program")
