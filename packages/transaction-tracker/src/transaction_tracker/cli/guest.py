"""Use the configured database in a command, also while a service uses it."""

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
    """Run ``work`` in one database transaction; create or migrate the tables first.

    A service can use the database meanwhile, so ``work`` must be short; it waits for the
    transaction that the service is writing.

    Raises:
        CommandError: The database cannot be used.
    """
    if url.path is None and not url.is_postgresql:
        raise CommandError("a command cannot use a database in memory; set database.url to a file")
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
    except DBAPIError as error:  # not chained: it can contain the password
        raise CommandError(f"cannot use database {url}: {url.describe(error)}") from None


@contextmanager
def _visit(url: DatabaseUrl) -> Iterator[Engine]:
    if url.is_postgresql:
        # Not the store's own kind of connection, which takes the lock of the database's owner.
        with postgresql.visit(url.reveal()) as engine:
            yield engine
        return
    engine = sqlite.engine(url.reveal())
    try:
        yield engine
    finally:
        engine.dispose()
