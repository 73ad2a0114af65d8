"""Masses of transactions that wait: on a node's chain, and in a tracker's database.

The chain is the same wherever it is built, so a node and a database that were prepared in two
processes know the same transactions.
"""

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from transaction_tracker.domain import Event, Registration, Tracked
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.store import Step, chain, committing, registering
from transaction_tracker.store.database import Database, Failed
from txtrack_devnode import Chain, Transaction
from txtrack_devnode.transaction import TRANSFER_GAS
from txtrack_devnode.wire import pending_json

CHAIN_ID = 31337
SOURCE = f"ethereum:{CHAIN_ID}"
SENDERS = 8
AT_ONCE = 10_000


def waiting(transactions: int, per_block: int) -> Chain:
    """Build a chain on which so many transactions wait, and so many fit into a block."""
    made = Chain(chain_id=CHAIN_ID, accounts=SENDERS + 1, gas_limit=per_block * TRANSFER_GAS)
    *senders, receiver = made.accounts
    for number in range(transactions):
        made.submit(senders[number % SENDERS], receiver, 1)
    return made


def fill(url: str, transactions: Iterator[Transaction], required: int) -> int:
    """Fill a new database with transactions as the tracker keeps those that wait.

    Args:
        url: A file, or the address of a PostgreSQL database.
        transactions: What is tracked.
        required: Confirmations that make each final.

    Returns:
        How many there are.
    """
    database = Database(url).open()
    try:
        _run(database, partial(chain.claim, source=SOURCE))
        count = 0
        while some := list(islice(transactions, AT_ONCE)):
            wanted = [Registration(tx.hash, required) for tx in some]
            _run(database, partial(registering.register, registrations=wanted))
            events = tuple(seen(tx, required) for tx in some)
            _run(database, partial(committing.commit, step=Step(SOURCE, events)))
            count += len(some)
        return count
    finally:
        database.close()


def seen(tx: Transaction, required: int) -> Event:
    """Return the event that makes a registered transaction pending."""
    told = decode.transaction(pending_json(tx))
    pending = replace(
        Tracked(tx.hash, required),
        state="pending",
        version=1,
        slots=told.slots,
        content=told.content,
        max_fee=told.max_fee,
        waiting_since=time.time(),
    )
    return Event("registered", pending)


def _run(database: Database, work: Any) -> Any:
    (result,) = database.run([work])
    if isinstance(result, Failed):
        raise result.error
    return result
