"""``txtrack migrate`` and ``txtrack prune``: maintain the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, TypeVar

from cyclopts import Parameter
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE, CommandError
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags, Json, seconds
from transaction_tracker.store import StoreError, postgresql, sqlite
from transaction_tracker.store.owner import check_names
from transaction_tracker.store.pruning import LIMIT
from transaction_tracker.store.pruning import prune as prune_some
from transaction_tracker.store.upgrade import migrate as migrate_database
from transaction_tracker.store.upgrade import pending_revisions
from transaction_tracker.store.url import DatabaseUrl


def migrate(
    *,
    check: Annotated[bool, Parameter(negative=())] = False,
    flags: ConfigurationFlags = NO_FLAGS,
    as_json: Json = False,
) -> int:
    """Create the database's tables, or upgrade old ones.

    The service does this at its start. Use the command to migrate while no service runs, such as
    before an upgrade of several machines. The migration is atomic, but cannot be undone: keep a
    copy of the database.

    Exit status: 0; 1 if the database cannot be used, or with --check if migrations are pending; 2
    for bad input.

    Args:
        check: Only list the pending migrations.
        as_json: Print one JSON document; with shards, one for each.
    """
    pending = [_migrate(url, check, as_json) for url in flags.load().databases]
    return TROUBLE if check and any(pending) else OK


def _migrate(url: DatabaseUrl, check: bool, as_json: bool) -> list[str]:
    """Migrate one database, unless it is only to be checked; return the pending migrations."""
    try:
        pending = pending_revisions(url)
        if pending and not check:
            migrate_database(url)
    except StoreError as error:
        raise CommandError(str(error)) from None
    if as_json:
        output.write_document({"database": str(url), "pending": pending, "done": not check})
    elif not pending:
        output.say(f"database {url} is up to date")
    else:
        output.say(f"database {url}: {'pending' if check else 'applied'}: {', '.join(pending)}")
    return pending


def prune(*, older_than: str, flags: ConfigurationFlags = NO_FLAGS, as_json: Json = False) -> None:
    """Remove transactions that ended long ago, with their events and deliveries.

    If retention.ended is set, the service does this by itself; otherwise it removes nothing. The
    command can run while the service runs. Transactions with pending deliveries or dead letters
    are kept.

    Exit status: 0; 1 if the database cannot be used, 2 for bad input.

    Args:
        older_than: Minimum time since the end, such as 90d.
        as_json: Print one JSON document.
    """
    before = time.time() - seconds("--older-than", older_than)
    transactions = deliveries = 0
    for url in flags.load().databases:
        while True:
            # In small batches, because the service cannot store blocks during each of them.
            pruned = in_database(url, partial(prune_some, before=before))
            transactions += pruned.transactions
            deliveries += pruned.deliveries
            if max(pruned.transactions, pruned.deliveries) < LIMIT:
                break
    if as_json:
        output.write_document({"transactions": transactions, "deliveries": deliveries})
    else:
        output.say(f"removed {transactions:,} transactions and {deliveries:,} deliveries")


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
            migrate_database(url)
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
