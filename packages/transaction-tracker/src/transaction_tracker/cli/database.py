"""``txtrack migrate`` and ``txtrack prune``: maintain the database."""

import time
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE, CommandError
from transaction_tracker.cli.flags import ConfigurationFlags, Json, seconds
from transaction_tracker.cli.guest import in_database
from transaction_tracker.store import StoreError
from transaction_tracker.store.pruning import LIMIT
from transaction_tracker.store.pruning import prune as prune_some
from transaction_tracker.store.upgrade import migrate as migrate_database
from transaction_tracker.store.upgrade import pending_revisions


def migrate(
    *,
    check: Annotated[bool, Parameter(negative=())] = False,
    flags: ConfigurationFlags | None = None,
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
        as_json: Print one JSON document.
    """
    url = (flags or ConfigurationFlags()).load().database.url
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
    return TROUBLE if check and pending else OK


def prune(
    *, older_than: str, flags: ConfigurationFlags | None = None, as_json: Json = False
) -> None:
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
    url = (flags or ConfigurationFlags()).load().database.url
    transactions = deliveries = 0
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
