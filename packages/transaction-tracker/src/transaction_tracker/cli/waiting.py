"""``txtrack wait``: wait until transactions have ended, or are in a state."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any, Literal

from transaction_tracker.cli import exits, output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import NO_SOURCE, NOT_ENDED, CommandError
from transaction_tracker.cli.flags import CONFIGURED, ServiceFlags, Transactions, seconds
from transaction_tracker.cli.transaction_text import line
from transaction_tracker.cli.transactions import path_of
from transaction_tracker.domain import State

# Duration of one long poll: shorter than the idle timeouts of usual proxies.
_POLL_SECONDS = 25.0
_MAX_CONCURRENT_POLLS = 50
# How long the service can be away, for example during an upgrade, before the command fails.
_RESTART_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


async def wait(
    *transactions: Transactions,
    until: State | Literal["terminal"] = "terminal",
    timeout: str | None = None,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """Wait until transactions have ended, or are in a state.

    Prints each transaction when its wait ends. Exit status, of several transactions the first in
    this list that fits one of them:

    - 5: the timeout was reached.
    - 11: reversed. 3: failed. 9: invalid. 7: dropped. 8: expired. 4: replaced. 10: untracked.
    - 0: all are confirmed, or in the state of --until.
    - 1: error, such as a transaction that is not tracked; 2: bad input; 6: no service responds.

    Args:
        transactions: Ids of tracked transactions.
        until: State to wait for; "terminal" is any end. The wait for an ended transaction is over
            in any case.
        timeout: Maximum time to wait, such as 30s or 5m. Default: no limit.
    """
    limit = math.inf if timeout is None else seconds("--timeout", timeout)
    async with service.api() as api:
        found = await _all(api, list(dict.fromkeys(transactions)), until, limit, service.as_json)
    if len(found) < len(set(transactions)):
        return NOT_ENDED
    return exits.of_states({transaction["state"] for transaction in found} - {until})


async def _all(
    api: Api, transactions: Sequence[str], until: str, limit: float, as_json: bool
) -> list[dict[str, Any]]:
    """Print each transaction when its wait ends; return those that reached the state in time."""
    deadline = time.monotonic() + limit
    slots = asyncio.Semaphore(_MAX_CONCURRENT_POLLS)
    ended: list[dict[str, Any]] = []

    async def print_end(transaction: str) -> None:
        async with slots:
            reached, found = await _wait(api, transaction, until, deadline)
        output.write_json(found) if as_json else output.say(line(found))
        if reached:
            ended.append(found)

    try:
        async with asyncio.TaskGroup() as group:
            for transaction in transactions:
                group.create_task(print_end(transaction))
    except* CommandError as errors:
        raise errors.exceptions[0] from None
    return ended


async def _wait(
    api: Api, transaction: str, until: str, deadline: float
) -> tuple[bool, dict[str, Any]]:
    """Poll until the state or the deadline is reached; tolerate a restart of the service."""
    path = f"{path_of(transaction)}/wait"
    missed_since: float | None = None
    known = False
    while True:
        left = max(0.0, min(_POLL_SECONDS, deadline - time.monotonic()))
        try:
            response = await api.get(path, until=until, timeout=left)
        except CommandError as error:
            missed_since = missed_since or time.monotonic()
            away = time.monotonic() - missed_since
            if error.status != NO_SOURCE or not known or away > _RESTART_SECONDS:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        known, missed_since = True, None
        if response["reached"] or time.monotonic() >= deadline:
            return response["reached"], response["transaction"]
