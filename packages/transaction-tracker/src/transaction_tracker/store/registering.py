"""Register transactions, and park them."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from transaction_tracker.domain import Registration, Tracked, reregistered
from transaction_tracker.store import broadcasts, bulk, details, expectations
from transaction_tracker.store.reading import load_some
from transaction_tracker.store.recording import record
from transaction_tracker.store.rows import TRACKED_COLUMNS, clean, tracked_values
from transaction_tracker.store.schema import transactions
from transaction_tracker.store.steps import Stored

_GIVEN = ("metadata", "expectation", "details")
_NEW = (*TRACKED_COLUMNS, *_GIVEN, "created_at", "updated_at")


def register(connection: Connection, registrations: Sequence[Registration]) -> Stored:
    """Store new transactions, and return the stored state of all.

    The error of a parked transaction is cleared, and an untracked transaction is registered again.
    All other known transactions are unchanged, and their arguments are ignored.
    """
    # Reversed: of several registrations of one transaction, the first one counts.
    wanted = {registration.id: registration for registration in reversed(registrations)}
    known = _by_id(load_some(connection, list(wanted)))
    new = _insert(connection, [wanted[key] for key in wanted if key not in known])
    parked = [tracked.id for tracked in known.values() if tracked.error is not None]
    if parked:
        _set_errors(connection, parked, None)
        known |= _by_id(load_some(connection, parked))
    back = [tracked for tracked in known.values() if tracked.state == "untracked"]
    # Before the event, which is stored with the current metadata and expectation.
    again = [wanted[tracked.id] for tracked in back]
    _set_given(connection, again)
    broadcasts.keep(connection, again)
    steps = [reregistered(tracked, wanted[tracked.id]) for tracked in back]
    position, events = record(connection, steps)
    known |= _by_id(event.tracked for event in events)
    return Stored((*known.values(), *new), events, position=position)


def park(connection: Connection, transaction: str, error: str) -> Stored:
    """Store why a transaction is parked."""
    _set_errors(connection, [transaction], error)
    return Stored(tuple(load_some(connection, [transaction])))


def _by_id(transactions: Iterable[Tracked]) -> dict[str, Tracked]:
    return {tracked.id: tracked for tracked in transactions}


def _insert(connection: Connection, registrations: Sequence[Registration]) -> list[Tracked]:
    now = time.time()
    new = [
        Tracked(
            registration.id,
            registration.required,
            deadline=registration.deadline,
            **_known(registration),
        )
        for registration in registrations
    ]
    rows = [
        (*tracked_values(tracked), *_given(registration), now, now)
        for tracked, registration in zip(new, registrations, strict=True)
    ]
    bulk.insert(connection, transactions, _NEW, rows)
    broadcasts.keep(connection, registrations)
    return new


def _set_errors(connection: Connection, ids: Sequence[str], error: str | None) -> None:
    rows = [(clean(error), key) for key in ids]
    bulk.update(connection, transactions, ("error",), ("id",), rows)


def _set_given(connection: Connection, registrations: Sequence[Registration]) -> None:
    # The known details stay: they are those of the same transaction.
    rows = [(*_given(registration)[:2], registration.id) for registration in registrations]
    bulk.update(connection, transactions, _GIVEN[:2], ("id",), rows)


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
