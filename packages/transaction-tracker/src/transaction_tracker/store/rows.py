"""Between values and rows."""

from typing import Any

from sqlalchemy import Row

from transaction_tracker.domain import STATES, BlockRef, Event, Link, Outcome, State, Tracked

# Few states for many rows: one string each.
_STATES: dict[str, State] = {state: state for state in STATES}


def tracked_row(tracked: Tracked) -> dict[str, Any]:
    """Write a transaction as a row, its times left out."""
    anchor, outcome = tracked.anchor, tracked.outcome
    return {
        "id": tracked.id,
        "required": tracked.required,
        "state": tracked.state,
        "version": tracked.version,
        "slot": tracked.slot,
        "content": tracked.content,
        "block_number": anchor and anchor.number,
        "block_hash": anchor and anchor.hash,
        "succeeded": outcome and outcome.succeeded,
        "fee": None if outcome is None or outcome.fee is None else str(outcome.fee),
        "failure": outcome and outcome.error,
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
        "error": tracked.error,
    }


def tracked_from(row: Row[Any]) -> Tracked:
    """Read a transaction."""
    anchor = None if row.block_hash is None else BlockRef(row.block_number, row.block_hash)
    outcome = None if row.succeeded is None else _outcome(row)
    return Tracked(
        id=row.id,
        required=row.required,
        state=_STATES[row.state],
        version=row.version,
        slot=row.slot,
        content=row.content,
        anchor=anchor,
        outcome=outcome,
        superseded_by=row.superseded_by,
        reason=row.reason,
        error=row.error,
    )


def event_row(event: Event) -> dict[str, Any]:
    """Write an event as a row, its time left out."""
    tracked = event.tracked
    return {
        "transaction_id": tracked.id,
        "version": tracked.version,
        "previous": event.previous,
        "state": tracked.state,
        "block_number": tracked.anchor and tracked.anchor.number,
        "block_hash": tracked.anchor and tracked.anchor.hash,
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
    }


def link_row(source: str, link: Link) -> dict[str, Any]:
    """Write a block as a row."""
    return {"source": source, "number": link.number, "hash": link.hash, "parent": link.parent}


def link_from(row: Row[Any]) -> Link:
    """Read a block."""
    return Link(number=row.number, hash=row.hash, parent=row.parent)


def _outcome(row: Row[Any]) -> Outcome:
    fee = None if row.fee is None else int(row.fee)
    return Outcome(succeeded=row.succeeded, fee=fee, error=row.failure)
