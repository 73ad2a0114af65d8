"""Response models of the API, and the functions that fill them."""

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel, Field

from transaction_tracker.api import cursors
from transaction_tracker.api.why import NextCheck, WaitsFor, Why
from transaction_tracker.domain import BlockRef, FeeScope, Flag, Outcome, Required, State
from transaction_tracker.store.feed import Entry
from transaction_tracker.store.pages import Kept

Json = dict[str, Any]


class BlockView(BaseModel):
    """A block."""

    number: int
    hash: str


class OutcomeView(BaseModel):
    """Outcome of a transaction in its block."""

    succeeded: bool
    fee: str | None = Field(description="Fee in the chain's smallest unit (wei), as decimal text.")
    fee_scope: FeeScope | None = Field(
        description="total: the whole fee. execution: without fees that the chain charges in "
        "addition, such as the fee for publishing data on another chain."
    )
    error: str | None


class NextCheckView(BaseModel):
    """Latest time of the next check of a transaction; one of the fields is set."""

    at_height: int | None = None
    at_time: datetime | None = None
    within_seconds: float | None = None


class WhyView(BaseModel):
    """Why a transaction is in its state, and what it waits for."""

    sentence: str
    waits_for: WaitsFor
    since: datetime
    missing_confirmations: int | None
    next_check: NextCheckView | None
    notes: list[str]


class EventView(BaseModel):
    """A transition, or a change of flags: then `previous` equals `state`."""

    id: str = Field(description="Id of the event, which never changes; identifies duplicates.")
    cursor: str = Field(description="Send it as `after` or Last-Event-ID to continue after it.")
    transaction: str
    version: int
    previous: State
    state: State
    block: BlockView | None
    outcome: OutcomeView | None
    superseded_by: str | None
    reason: str | None
    flags: list[Flag]
    recorded_at: datetime
    metadata: Json


class TransactionView(BaseModel):
    """Current state of a transaction."""

    id: str
    state: State
    final: bool = Field(description="Whether the state can no longer change.")
    version: int
    required: Required = Field(description="Required confirmations, or a tag of the chain.")
    confirmations: int = Field(description="Confirmations at the time of the request.")
    flags: list[Flag]
    provider_degraded: bool = Field(
        description="Whether the state can be out of date, because of the source or its providers."
    )
    block: BlockView | None
    outcome: OutcomeView | None
    superseded_by: str | None
    reason: str | None
    parked: str | None = Field(
        description="Why the transaction is parked: the last crash of its tracker, which crashed "
        "too often, or data that no provider sends in a readable form. Null if it is not parked."
    )
    deadline: datetime | None
    metadata: Json
    created_at: datetime
    updated_at: datetime


class TransactionDetail(TransactionView):
    """Current state of a transaction, with the reason and the history."""

    why: WhyView
    history: list[EventView] = Field(description="Last 100 events, the oldest first.")


class TransactionPage(BaseModel):
    """A page of transactions."""

    transactions: list[TransactionView]
    next: str | None = Field(
        description="Send it as `cursor` to get the next page; null at the end."
    )


class EventPage(BaseModel):
    """A page of events."""

    events: list[EventView]
    next: str = Field(description="Send it as `after` to get the next page; never null.")
    more: bool = Field(description="Whether the next page already has events.")


class WaitResult(BaseModel):
    """Result of a long poll."""

    reached: bool = Field(description="Whether the transaction is in the state, or has ended.")
    transaction: TransactionView


def rfc3339(seconds: float) -> str:
    """Return Unix seconds as a time in UTC.

    Source:
        RFC 3339.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def transaction_view(kept: Kept, confirmations: int, degraded: bool) -> Json:
    """Return the JSON of a transaction."""
    tracked = kept.tracked
    return {
        "id": tracked.id,
        "state": tracked.state,
        "final": tracked.final,
        "version": tracked.version,
        "required": tracked.required,
        "confirmations": confirmations,
        "flags": sorted(tracked.flags),
        "provider_degraded": degraded,
        "block": _block(tracked.anchor),
        "outcome": _outcome(tracked.outcome),
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
        "parked": tracked.error,
        "deadline": _time(tracked.deadline),
        # Already JSON, which this program wrote, so it is inserted without parsing.
        "metadata": orjson.Fragment(kept.metadata),
        "created_at": rfc3339(kept.created_at),
        "updated_at": rfc3339(kept.updated_at),
    }


def event_view(entry: Entry) -> Json:
    """Return the JSON of an event."""
    event, tracked = entry.event, entry.event.tracked
    return {
        "id": event.id,
        "cursor": cursors.of_event(entry.position),
        "transaction": tracked.id,
        "version": tracked.version,
        "previous": event.previous,
        "state": tracked.state,
        "block": _block(tracked.anchor),
        "outcome": _outcome(tracked.outcome),
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
        "flags": sorted(tracked.flags),
        "recorded_at": rfc3339(entry.recorded_at),
        "metadata": orjson.Fragment(entry.metadata),
    }


def why_view(why: Why) -> Json:
    """Return the JSON of the reason for a state."""
    return {
        "sentence": why.sentence,
        "waits_for": why.waits_for,
        "since": rfc3339(why.since),
        "missing_confirmations": why.missing_confirmations,
        "next_check": _next_check(why.next_check),
        "notes": why.notes,
    }


def _next_check(check: NextCheck | None) -> Json | None:
    if check is None:
        return None
    return {
        "at_height": check.at_height,
        "at_time": _time(check.at_time),
        "within_seconds": check.within_seconds,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)


def _block(block: BlockRef | None) -> Json | None:
    return None if block is None else {"number": block.number, "hash": block.hash}


def _outcome(outcome: Outcome | None) -> Json | None:
    if outcome is None:
        return None
    # Decimal text: many JSON parsers read numbers as 64-bit floats, which cannot hold a fee in wei
    # exactly.
    fee = None if outcome.fee is None else str(outcome.fee)
    scope = None if outcome.fee is None else outcome.fee_scope
    error = outcome.error
    return {"succeeded": outcome.succeeded, "fee": fee, "fee_scope": scope, "error": error}
