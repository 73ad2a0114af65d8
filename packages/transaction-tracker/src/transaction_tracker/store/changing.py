"""Change what is required of a tracked transaction."""

import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, update

from transaction_tracker.domain import (
    UNCHANGED,
    EndedError,
    NotTrackedError,
    RegistrationChange,
    Tracked,
    at_least,
)
from transaction_tracker.store import expectations
from transaction_tracker.store.pages import TransactionRecord, transaction_page
from transaction_tracker.store.rows import required_by_text
from transaction_tracker.store.schema import transactions
from transaction_tracker.store.steps import Stored


def change(
    connection: Connection,
    transaction: str,
    change: RegistrationChange,
    min_confirmations: Callable[[Tracked], int] = lambda _: 1,
) -> Stored:
    """Store new values of a registration; without a difference, nothing is written.

    The version of the transaction stays, because no state changes: see ``recording`` for events
    that were decided before the change and are written after it.

    Args:
        connection: Inside a database transaction.
        transaction: Its id, as it was registered.
        change: The change.
        min_confirmations: Returns the confirmations below which a transaction is never final; a
            change to fewer requires these.

    Raises:
        NotTrackedError: The transaction is not registered.
        EndedError: It has ended: what was reported never changes.
    """
    kept = transaction_page(connection, transaction)
    if kept is None:
        raise NotTrackedError(transaction)
    if kept.tracked.ended:
        raise EndedError(transaction, kept.tracked.state)
    tracked = _changed(kept.tracked, change, min_confirmations(kept.tracked))
    values = _given(kept, change)
    if tracked != kept.tracked:
        values |= {
            "required": str(tracked.required),
            "required_by": required_by_text(tracked.required_by),
            "deadline": tracked.deadline,
            "revision": tracked.revision,
        }
    if values:
        row = update(transactions).where(transactions.c.id == transaction)
        connection.execute(row.values(**values, updated_at=time.time()))
    return Stored((tracked,))


def _changed(tracked: Tracked, change: RegistrationChange, minimum: int) -> Tracked:
    required, by = tracked.required, tracked.required_by
    if change.required is not UNCHANGED:
        required, by = change.required, "request"
    required = at_least(required, minimum)
    deadline = tracked.deadline if change.deadline is UNCHANGED else change.deadline
    if (required, by, deadline) == (tracked.required, tracked.required_by, tracked.deadline):
        return tracked
    revision = tracked.revision + 1
    return replace(tracked, required=required, required_by=by, deadline=deadline, revision=revision)


def _given(kept: TransactionRecord, change: RegistrationChange) -> dict[str, Any]:
    """Return the changed columns that the tracker does not hold."""
    values: dict[str, Any] = {}
    if change.metadata is not UNCHANGED:
        values["metadata"] = change.metadata
    if change.expectation is not UNCHANGED:
        state, details = kept.tracked.state, kept.details
        values["expectation"] = expectations.changed(change.expectation, state, details)
    before = {"metadata": kept.metadata, "expectation": kept.expectation}
    return {name: value for name, value in values.items() if value != before[name]}
