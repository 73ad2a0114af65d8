"""``txtrack migrate`` and ``txtrack prune``: care for the database."""

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
    """Make the database's tables, or bring old ones up to date.

    The service does so by itself when it starts. Here it is done while none runs, such as before
    an upgrade of several machines. All of it is done, or nothing. Keep a copy of the database:
    there is no way back.

    Exit status: 0; 1 if the database cannot be used, or with --check if something is to be done;
    2 for bad input.

    Args:
        check: Only say what is to be done.
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
        output.say(f"database {url}: {'to do' if check else 'done'}: {', '.join(pending)}")
    return TROUBLE if check and pending else OK


def prune(
    *, older_than: str, flags: ConfigurationFlags | None = None, as_json: Json = False
) -> None:
    """Remove transactions that ended long ago, with their events and deliveries.

    The service does so by itself where retention.ended is set; otherwise nothing is ever removed
    but by this. A service may run meanwhile. A transaction of which an endpoint is still to be
    told, or was told in vain, stays.

    Exit status: 0; 1 if the database cannot be used, 2 for bad input.

    Args:
        older_than: Time since the end, such as 90d.
        as_json: Print one JSON document.
    """
    before = time.time() - seconds("--older-than", older_than)
    url = (flags or ConfigurationFlags()).load().database.url
    transactions = deliveries = 0
    while True:
        # In small parts: blocks wait meanwhile.
        pruned = in_database(url, partial(prune_some, before=before))
        transactions += pruned.transactions
        deliveries += pruned.deliveries
        if max(pruned.transactions, pruned.deliveries) < LIMIT:
            break
    if as_json:
        output.write_document({"transactions": transactions, "deliveries": deliveries})
    else:
        output.say(f"{transactions:,} transactions and {deliveries:,} deliveries are removed")
