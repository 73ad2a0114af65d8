"""Count the transactions of watched addresses: all of them, the open ones, what is passed over."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import orjson
from sqlalchemy import Connection, Integer, bindparam, case, type_coerce, update

from transaction_tracker.domain import PASSED_OVER, TERMINAL, Deposit, Details, Event, State, proven
from transaction_tracker.store.schema import addresses

_NAMES = ("found", "open", *PASSED_OVER)

# In a block, and without any effect.
_FAILED: frozenset[State] = frozenset(("mined_reverted", "failed"))

_DENIED = '"value":"0"'

# By address, what is added to each of its counts.
Counts: TypeAlias = dict[str, Counter[str]]


def add(changes: Counts, address: str, name: str, count: int) -> None:
    """Add to a count of an address."""
    changes.setdefault(address, Counter())[name] += count


def store(connection: Connection, source: str, changes: Mapping[str, Mapping[str, int]]) -> None:
    """Add to the counts of addresses; without effect for addresses that were removed."""
    if not changes:
        return
    # Not below 0: an address that was removed and added again has lost its open transactions.
    new = {
        name: addresses.c[name] + type_coerce(bindparam(f"add_{name}"), Integer) for name in _NAMES
    }
    values = {name: case((value < 0, 0), else_=value) for name, value in new.items()}
    mine = addresses.c.source == source, addresses.c.address == bindparam("of_address")
    rows = [
        {"of_address": address} | {f"add_{name}": added.get(name, 0) for name in _NAMES}
        for address, added in changes.items()
    ]
    connection.execute(update(addresses).where(*mine).values(values), rows)


def count_ends(
    connection: Connection, events: Sequence[Event], deposits: Sequence[str | None]
) -> None:
    """Count the open transactions of addresses, after events that end or reopen some.

    Args:
        connection: Inside a database transaction.
        events: Written events.
        deposits: The stored deposits of the transaction of each event, as JSON.
    """
    changes: dict[str, Counts] = {}
    for event, text in zip(events, deposits, strict=True):
        is_final = event.tracked.final
        if text is None or (event.previous in TERMINAL) == is_final:
            continue
        of_source = changes.setdefault(event.tracked.source, {})
        for address in addresses_in(text):
            add(of_source, address, "open", -1 if is_final else 1)
    for source, of_source in changes.items():
        store(connection, source, of_source)


def after(text: str | None, event: Event, known: Details) -> str | None:
    """Return the deposits of a transaction after an event, as JSON.

    Args:
        text: The deposits before it; ``None`` if the transaction has never paid an address.
        event: The event.
        known: The details after it: what its receipt denies is not a deposit.
    """
    if text is None:
        return None
    if event.tracked.state in _FAILED:
        return text_of(replace(each, value=0) for each in deposits_in(text))
    return text_of(proven(deposits_in(text), known))


def shown(text: str | None) -> str | None:
    """Return deposits as users see them: without those that the receipt denies."""
    if text is None or _DENIED not in text:
        return text
    return text_of(each for each in deposits_in(text) if each.value)


def count_changes(
    connection: Connection, source: str, changed: Iterable[tuple[str | None, str | None]]
) -> None:
    """Count the transactions of addresses whose deposits are denied, or no longer.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        changed: Deposits of open transactions before and after, as JSON.
    """
    changes: Counts = {}
    for before, now in changed:
        old, new = addresses_in(before or "[]"), addresses_in(now or "[]")
        for address in old ^ new:
            for name in ("found", "open"):
                add(changes, address, name, 1 if address in new else -1)
    store(connection, source, changes)


def text_of(paid: Iterable[Deposit]) -> str:
    """Return deposits as JSON."""
    return orjson.dumps(
        [{"address": each.address, "token": each.token, "value": str(each.value)} for each in paid]
    ).decode()


def deposits_in(text: str) -> tuple[Deposit, ...]:
    """Parse deposits."""
    return tuple(
        Deposit(each["address"], each["token"], int(each["value"])) for each in orjson.loads(text)
    )


def addresses_in(text: str) -> frozenset[str]:
    """Return the addresses that deposits in JSON pay."""
    return frozenset(each.address for each in deposits_in(text) if each.value)
