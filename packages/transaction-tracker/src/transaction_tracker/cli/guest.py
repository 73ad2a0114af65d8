"""Work in the configured database by commands, also while a service uses it."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from transaction_tracker.cli.exits import CommandError
from transaction_tracker.store import StoreError, sqlite
from transaction_tracker.store.owner import check_names
from transaction_tracker.store.upgrade import migrate, pending_revisions
from transaction_tracker.store.url import DatabaseUrl

_CONNECT_SECONDS = 5

T = TypeVar("T")


def in_database(url: DatabaseUrl, work: Callable[[Connection], T]) -> T:
    """Do one piece of work in one database transaction; make the tables first, if need be.

    A service may run: what is done here is short, and waits until its block is written.

    Raises:
        CommandError: The database cannot be used.
    """
    if url.path is None and not url.is_postgresql:
        raise CommandError("a database in memory is gone with its service: configure a file")
    try:
        if url.path is not None and url.path.exists():
            check_names(url.path)
        if pending_revisions(url):
            migrate(url)
    except StoreError as error:
        raise CommandError(str(error)) from None
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            return work(connection)
    except DBAPIError as error:  # not as its cause: it may hold the password
        raise CommandError(f"cannot use database {url}: {url.describe(error)}") from None
    finally:
        engine.dispose()


def _engine(url: DatabaseUrl) -> Engine:
    if not url.is_postgresql:
        return sqlite.engine(url.reveal())
    # Not the store's: that one's connection is the owner of the database.
    return create_engine(
        url.reveal(),
        poolclass=NullPool,
        connect_args={"connect_timeout": _CONNECT_SECONDS},
        hide_parameters=True,
    )
