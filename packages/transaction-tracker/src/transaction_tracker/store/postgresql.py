"""A database on a PostgreSQL server: how it is reached, and who may write to it.

The right to write is a lock of the session: between program and server there must be no pooler
that gives a session to one program after the other.
"""

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Engine, StaticPool, create_engine, event

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
_SESSION = {
    "synchronous_commit": "on",
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
        connect_args={name: value for name, value in _CLIENT.items() if name not in url.query},
        hide_parameters=True,
    )
    event.listen(made, "connect", _prepare)
    return made


def cannot_connect(why: str) -> type[StoreError]:
    """Say what kind of error it is that a connection was not made, by the driver's text."""
    return StoreError if any(words in why for words in _HOPELESS) else UnavailableError


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
