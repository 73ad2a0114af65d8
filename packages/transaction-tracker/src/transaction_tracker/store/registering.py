"""Taking transactions up, and noting whose tracker was given up."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection

from transaction_tracker.domain import Registration, Tracked, reregistered
from transaction_tracker.store import bulk
from transaction_tracker.store.reading import load_some
from transaction_tracker.store.recording import record
from transaction_tracker.store.rows import TRACKED_COLUMNS, clean, tracked_values
from transaction_tracker.store.schema import transactions
from transaction_tracker.store.steps import Stored

_NEW = (*TRACKED_COLUMNS, "metadata", "created_at", "updated_at")


def register(connection: Connection, registrations: Sequence[Registration]) -> Stored:
    """Store transactions that are new, and give all as they are stored.

    One that was parked is free again; one that the user had stopped begins anew. All others
    stay as they are, whatever is asked for.
    """
    wanted = {one.id: one for one in reversed(registrations)}
    known = {one.id: one for one in load_some(connection, list(wanted))}
    new = _insert(connection, [one for one in wanted.values() if one.id not in known])
    freed = [one.id for one in known.values() if one.error is not None]
    if freed:
        _set_errors(connection, freed, None)
        known |= {one.id: one for one in load_some(connection, freed)}
    back = [one for one in known.values() if one.state == "untracked"]
    # Before the event, which is stored with the metadata that it finds.
    _set_metadata(connection, [wanted[one.id] for one in back])
    position, events = record(connection, [reregistered(one, wanted[one.id]) for one in back])
    known |= {event.tracked.id: event.tracked for event in events}
    return Stored((*known.values(), *new), events, position=position)


def park(connection: Connection, transaction: str, error: str) -> Stored:
    """Note why a transaction's tracker was given up."""
    _set_errors(connection, [transaction], error)
    return Stored(tuple(load_some(connection, [transaction])))


def _insert(connection: Connection, registrations: Sequence[Registration]) -> list[Tracked]:
    now = time.time()
    new = [Tracked(one.id, one.required, deadline=one.deadline) for one in registrations]
    rows = [
        (*tracked_values(tracked), one.metadata, now, now)
        for tracked, one in zip(new, registrations, strict=True)
    ]
    bulk.insert(connection, transactions, _NEW, rows)
    return new


def _set_errors(connection: Connection, ids: Sequence[str], error: str | None) -> None:
    rows = [(clean(error), key) for key in ids]
    bulk.update(connection, transactions, ("error",), ("id",), rows)


def _set_metadata(connection: Connection, registrations: Sequence[Registration]) -> None:
    rows = [(one.metadata, one.id) for one in registrations]
    bulk.update(connection, transactions, ("metadata",), ("id",), rows)
