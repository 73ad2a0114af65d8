"""Work in the configured database by commands, also while a service uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from transaction_tracker.cli.exits import CommandError
from transaction_tracker.store import StoreError, postgresql, sqlite
from transaction_tracker.store.owner import check_names
from transaction_tracker.store.upgrade import migrate, pending_revisions
from transaction_tracker.store.url import DatabaseUrl

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
    try:
        with _visit(url) as engine, engine.begin() as connection:
            return work(connection)
    except DBAPIError as error:  # not as its cause: it may hold the password
        raise CommandError(f"cannot use database {url}: {url.describe(error)}") from None


@contextmanager
def _visit(url: DatabaseUrl) -> Iterator[Engine]:
    if url.is_postgresql:
        # Not the store's connection: that one is the owner of the database.
        with postgresql.visit(url.reveal()) as engine:
            yield engine
        return
    engine = sqlite.engine(url.reveal())
    try:
        yield engine
    finally:
        engine.dispose()
