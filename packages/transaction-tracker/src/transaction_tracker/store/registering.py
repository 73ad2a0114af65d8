"""Register transactions, and park them."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from transaction_tracker.domain import Registration, Tracked, caip_id, reregistered
from transaction_tracker.store import broadcasts, bulk, details, expectations
from transaction_tracker.store.reading import load_local, load_some
from transaction_tracker.store.recording import record
from transaction_tracker.store.rows import READ_COLUMNS, clean, tracked_values
from transaction_tracker.store.schema import transactions
from transaction_tracker.store.steps import Stored

_GIVEN = ("metadata", "expectation", "details")
_NEW = (*READ_COLUMNS, *_GIVEN, "created_at", "updated_at")


def register(connection: Connection, registrations: Sequence[Registration]) -> Stored:
    """Store new transactions, and return the stored state of all.

    The error of a parked transaction is cleared, and an untracked transaction is registered again.
    All other known transactions are unchanged, and their arguments are ignored.
    """
    # Reversed: of several registrations of one transaction, the first one counts.
    wanted = {_place(registration): registration for registration in reversed(registrations)}
    known = _load(connection, wanted.values())
    new = insert_new(connection, [wanted[place] for place in wanted if place not in known])
    parked = {place: each.key for place, each in known.items() if each.error is not None}
    if parked:
        _set_errors(connection, list(parked.values()), None)
        known |= _load(connection, [wanted[place] for place in parked])
    back = {place: tracked for place, tracked in known.items() if tracked.state == "untracked"}
    # Before the event, which is stored with the current metadata and expectation.
    again = [(tracked.key, wanted[place]) for place, tracked in back.items()]
    _set_given(connection, again)
    broadcasts.keep(connection, again)
    steps = [reregistered(tracked, wanted[place]) for place, tracked in back.items()]
    position, events = record(connection, steps)
    places = {tracked.key: place for place, tracked in back.items()}
    known |= {places[event.tracked.key]: event.tracked for event in events}
    return Stored((*known.values(), *new), events, position=position)


def park(connection: Connection, transaction: str, error: str) -> Stored:
    """Store why a transaction is parked.

    Args:
        connection: Inside a database transaction.
        transaction: Its id, as it was registered.
        error: The reason.
    """
    _set_errors(connection, [transaction], error)
    return Stored(tuple(load_some(connection, [transaction])))


# The source, and the id there.
_Place = tuple[str, str]


def _place(registration: Registration) -> _Place:
    return registration.source, registration.id


def _load(connection: Connection, registrations: Iterable[Registration]) -> dict[_Place, Tracked]:
    """Return those of the transactions that are stored."""
    ids = defaultdict[str, list[str]](list)
    for registration in registrations:
        ids[registration.source].append(registration.id)
    return {
        (source, tracked.id): tracked
        for source, some in ids.items()
        for tracked in load_local(connection, source, some)
    }


def insert_new(connection: Connection, registrations: Sequence[Registration]) -> list[Tracked]:
    """Store transactions that are not stored yet, and return their state.

    Args:
        connection: Inside a database transaction.
        registrations: The transactions, each once.
    """
    now = time.time()
    taken = _taken_ids(connection, registrations)
    new = [
        Tracked(
            registration.id,
            registration.required,
            deadline=registration.deadline,
            source=registration.source,
            # The plain id belongs to another source: replayed on another chain, for example.
            given=caip_id(registration.source, registration.id)
            if registration.given is None and registration.id in taken
            else registration.given,
            required_by=registration.required_by,
            **_known(registration),
        )
        for registration in registrations
    ]
    rows = [
        (*tracked_values(tracked), tracked.source, *_given(registration), now, now)
        for tracked, registration in zip(new, registrations, strict=True)
    ]
    bulk.insert(connection, transactions, _NEW, rows)
    keys = [tracked.key for tracked in new]
    broadcasts.keep(connection, list(zip(keys, registrations, strict=True)))
    return new


def _taken_ids(connection: Connection, registrations: Sequence[Registration]) -> set[str]:
    """Return which plain ids are those of another source, in the database or in this request."""
    plain = [each.id for each in registrations if each.source and each.given is None]
    twice = {key for key, count in Counter(plain).items() if count > 1}
    return twice | {tracked.key for tracked in load_some(connection, plain)}


def _set_errors(connection: Connection, ids: Sequence[str], error: str | None) -> None:
    rows = [(clean(error), key) for key in ids]
    bulk.update(connection, transactions, ("error",), ("id",), rows)


def _set_given(connection: Connection, registrations: Sequence[tuple[str, Registration]]) -> None:
    given = [(_given(registration), key) for key, registration in registrations]
    # Without new ones, the known details stay: they are those of the same transaction.
    for names in (_GIVEN, _GIVEN[:2]):
        rows = [(*values[: len(names)], key) for values, key in given if _names(values) == names]
        bulk.update(connection, transactions, names, ("id",), rows)


def _names(values: tuple[str, str | None, str | None]) -> tuple[str, ...]:
    """Return the columns that are set: the details only if they are known."""
    return _GIVEN if values[2] is not None else _GIVEN[:2]


def _known(registration: Registration) -> dict[str, Any]:
    """Return what is known of a transaction before the source shows it."""
    known = registration.known
    if known is None:
        return {"slots": () if registration.slot is None else (registration.slot,)}
    return {"slots": known.slots, "content": known.content, "max_fee": known.max_fee}


def _given(registration: Registration) -> tuple[str, str | None, str | None]:
    known = registration.known
    payment = None if known is None else known.payment
    shown = None if payment is None else details.of_payment(payment)
    expectation = expectations.changed(registration.expectation, "registered", shown)
    return registration.metadata, expectation, shown
