"""Write the deposits of a block: the transactions that are tracked from now on, and the counts.

All in the database transaction of the block, so that a crash neither loses a deposit nor tracks it
twice. An address can be added or removed while its deposits are looked for. A removed one has no
row, so nothing is written for it. An added one raises ``addresses_version`` of its source: a block
that was compared with fewer addresses is not applied, and the follower compares it again.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import Connection, select

from transaction_tracker.domain import (
    ENDED_IN_NO_BLOCK,
    MAX_DEPOSITS,
    NO_DETAILS,
    Deposit,
    Details,
    Event,
    Paid,
    Registration,
    Tracked,
    proven,
    reregistered,
)
from transaction_tracker.store import bulk, details
from transaction_tracker.store.addresses import counts
from transaction_tracker.store.addresses.counts import Counts
from transaction_tracker.store.reading import load_local
from transaction_tracker.store.registering import insert_new
from transaction_tracker.store.schema import addresses, cursors, transactions
from transaction_tracker.store.steps import FoundDeposits


@dataclass(frozen=True, slots=True)
class Written:
    """What was written about the deposits of a step.

    Attributes:
        started: The transactions that are tracked from now on, before the facts of the block.
        ignored: Ids of transactions of which nothing is tracked, or not by this step.
        reopened: The events of transactions that had ended in no block, and are tracked again. They
            are not recorded yet.
    """

    started: tuple[Tracked, ...] = ()
    ignored: frozenset[str] = frozenset()
    reopened: tuple[Event, ...] = ()


@dataclass(slots=True)
class _Row:
    """A watched address, while deposits to it are written."""

    metadata: str
    open: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knew of a step's transactions and addresses before the step.

    Attributes:
        tracked: The registered transactions, by their ids at the source.
        reopened: Those of them that ended in no block, and are tracked again if they pay.
        deposits: The deposits so far of the transactions that are not final, by their keys.
        details: Details of the transactions, by their keys, if the step adds deposits.
        addresses: The watched addresses.
    """

    tracked: Mapping[str, Tracked]
    reopened: Mapping[str, Tracked]
    deposits: Mapping[str, tuple[Deposit, ...]]
    details: Mapping[str, Details]
    addresses: Mapping[str, _Row]


def is_outdated(connection: Connection, source: str, found: FoundDeposits) -> bool:
    """Return whether addresses were added after a block was compared with them."""
    query = select(cursors.c.addresses_version).where(cursors.c.source == source)
    return (connection.scalar(query) or 0) > found.version


def write(connection: Connection, source: str, found: FoundDeposits) -> Written:
    """Start to track the transactions that pay watched addresses, and count.

    A transaction that is tracked already stays one: it only gets its deposits. One that has expired
    or was invalid is tracked again, because its money has arrived. One that has another end, or
    that the user stopped tracking, stays as it is.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        found: The deposits.
    """
    if not found.has_any:
        return Written()
    changes: Counts = {}
    for (address, reason), count in found.passed_over.items():
        counts.add(changes, address, reason, count)
    known = _read(connection, source, found)
    wanted, deposits = _decide(source, found, known, changes)
    started = insert_new(connection, wanted)
    keys = {tracked.id: tracked.key for tracked in started}
    deposits = {keys.get(key, key): paid for key, paid in deposits.items()}
    stored = known.deposits
    # A block that contains a transaction decides what it pays: nothing to watched addresses now.
    deposits |= dict.fromkeys(stored.keys() & found.contained - deposits.keys(), ())
    _set_deposits(connection, deposits, stored)
    ended = {tracked.key for tracked in known.reopened.values()}
    for key, paid in deposits.items():
        was_paid = _accounts(stored.get(key, ()))
        _count_difference(changes, _accounts(paid), was_paid, has_ended=key in ended)
    counts.store(connection, source, changes)
    begun = {tracked.id for tracked in started}
    back = (each for each in known.reopened.values() if deposits.get(each.key))
    return Written(
        tuple(started),
        frozenset(found.required.keys() - begun),
        tuple(reregistered(each, _again(each)) for each in back),
    )


def _read(connection: Connection, source: str, found: FoundDeposits) -> _Known:
    tracked = {each.id: each for each in load_local(connection, source, [*found.paid])}
    return _Known(
        tracked,
        {key: each for key, each in tracked.items() if each.state in ENDED_IN_NO_BLOCK},
        _stored_deposits(connection, tracked.values(), found.contained),
        _details(connection, tracked.values()) if found.adds else {},
        _address_rows(connection, source, found.paid),
    )


def _decide(
    source: str, found: FoundDeposits, known: _Known, changes: Counts
) -> tuple[list[Registration], dict[str, tuple[Deposit, ...]]]:
    """Return the new registrations, and the deposits of each transaction that is not final.

    The deposits are by the key of a known transaction, and by the id of a new one.
    """
    wanted: list[Registration] = []
    deposits: dict[str, tuple[Deposit, ...]] = {}
    for transaction, paid in found.paid.items():
        tracked = known.tracked.get(transaction)
        if tracked is not None and tracked.final and transaction not in known.reopened:
            continue
        before = () if tracked is None else known.deposits.get(tracked.key, ())
        kept = _within_limits(paid, known.addresses, _accounts(before), changes, found.max_open)
        if tracked is not None:
            # The event that showed the details of a known transaction is not told again.
            shown = known.details
            kept = proven(_together(before, kept), shown[tracked.key]) if found.adds else kept
            deposits[tracked.key] = kept
        elif kept:
            metadata = known.addresses[kept[0].address].metadata
            wanted.append(
                Registration(
                    transaction,
                    found.required[transaction],
                    metadata=metadata,
                    source=source,
                    required_by=found.required_by(transaction),
                )
            )
            deposits[transaction] = kept
    return wanted, deposits


def _again(tracked: Tracked) -> Registration:
    """Return the registration of a transaction that is tracked again, without its deadline."""
    return Registration(
        tracked.id,
        tracked.required,
        source=tracked.source,
        given=tracked.given,
        required_by=tracked.required_by,
    )


def valid_events(events: Sequence[Event], written: Written) -> tuple[Event, ...]:
    """Return the events of a step that are valid with what was written about its deposits.

    A transaction that was registered meanwhile has its own requirement. The follower asks about it,
    as about each registration that comes after its block.
    """
    given = {tracked.id: tracked.given for tracked in written.started}
    found = (event for event in events if event.tracked.id not in written.ignored)
    return tuple(
        replace(event, tracked=replace(event.tracked, given=given[event.tracked.id]))
        if given.get(event.tracked.id) is not None
        else event
        for event in found
    )


def _within_limits(
    paid: Sequence[Deposit],
    rows: Mapping[str, _Row],
    before: frozenset[str],
    changes: Counts,
    max_open: int,
) -> tuple[Deposit, ...]:
    """Return the deposits to addresses that have not reached their limit; count the others."""
    kept: list[Deposit] = []
    reached: set[str] = set(before)
    for deposit in paid:
        row = rows.get(deposit.address)
        if row is None:
            continue
        is_full = row.open >= max_open and deposit.address not in reached
        if is_full or len(kept) >= MAX_DEPOSITS:
            counts.add(changes, deposit.address, "over_limit", 1)
            continue
        if deposit.address not in reached:
            row.open += 1
            reached.add(deposit.address)
        kept.append(deposit)
    return tuple(kept)


def _accounts(deposits: Iterable[Deposit]) -> frozenset[str]:
    return frozenset(each.address for each in deposits if each.value)


def _together(before: Sequence[Deposit], now: Sequence[Deposit]) -> tuple[Deposit, ...]:
    """Return the earlier deposits of a transaction with those that were found now."""
    known = {(each.address, each.token) for each in before}
    more = (each for each in now if (each.address, each.token) not in known)
    return (*before, *more)[:MAX_DEPOSITS]


def _address_rows(connection: Connection, source: str, paid: Paid) -> dict[str, _Row]:
    wanted = {deposit.address for deposits in paid.values() for deposit in deposits}
    names = ("source", "address", "metadata", "open")
    rows = bulk.select(connection, addresses, names, "address", sorted(wanted))
    return {row[1]: _Row(row[2], row[3]) for row in rows if row[0] == source}


def _stored_deposits(
    connection: Connection, known: Iterable[Tracked], contained: Iterable[str]
) -> dict[str, tuple[Deposit, ...]]:
    """Return the deposits so far of transactions that have ever paid an address.

    Without those that have ended, except in no block.
    """
    tracked = {each.key: each for each in known}
    keys = tracked.keys() | set(contained)
    reopened = {key for key, each in tracked.items() if each.state in ENDED_IN_NO_BLOCK}
    if not keys:
        return {}
    names = ("id", "deposits", "ended_at")
    rows = bulk.select(connection, transactions, names, "id", sorted(keys))
    return {
        key: counts.deposits_in(text)
        for key, text, ended_at in rows
        if text is not None and (ended_at is None or key in reopened)
    }


def _details(connection: Connection, known: Iterable[Tracked]) -> dict[str, Details]:
    """Return the details of transactions in a block."""
    places = {tracked.key: tracked for tracked in known}
    rows = bulk.select(connection, transactions, ("id", "details"), "id", sorted(places))
    return {
        key: details.read_complete(text) if places[key].anchor is not None else NO_DETAILS
        for key, text in rows
    }


def _set_deposits(
    connection: Connection, deposits: Mapping[str, Sequence[Deposit]], stored: Container[str]
) -> None:
    # A transaction that has never paid a watched address keeps NULL.
    rows = [(counts.text_of(paid), key) for key, paid in deposits.items() if paid or key in stored]
    bulk.update(connection, transactions, ("deposits",), ("id",), rows)


def _count_difference(
    changes: Counts, now: frozenset[str], before: frozenset[str], *, has_ended: bool
) -> None:
    """Count the transactions of addresses, of one whose deposits have changed.

    One that has ended becomes open by its event, which counts it as open.
    """
    names = ("found",) if has_ended else ("found", "open")
    for address in now ^ before:
        for name in names:
            counts.add(changes, address, name, 1 if address in now else -1)
