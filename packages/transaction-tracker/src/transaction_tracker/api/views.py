"""What the API shows: the shape of each answer, for its readers and for OpenAPI."""

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
    """How a transaction ended in its block."""

    succeeded: bool
    fee: str | None = Field(description="In wei, the chain's smallest unit; digits.")
    fee_scope: FeeScope | None = Field(
        description="total: all that the transaction paid. execution: the chain may have taken "
        "more, such as the fee for publishing data on another chain."
    )
    error: str | None


class NextCheckView(BaseModel):
    """When a transaction is looked at next, at the latest: one of these."""

    at_height: int | None = None
    at_time: datetime | None = None
    within_seconds: float | None = None


class WhyView(BaseModel):
    """Why a transaction is where it is."""

    sentence: str
    waits_for: WaitsFor
    since: datetime
    missing_confirmations: int | None
    next_check: NextCheckView | None
    notes: list[str]


class EventView(BaseModel):
    """One transition, or a change of flags: then the state is the one before."""

    id: str = Field(description="The same for ever: receivers know a repeat by it.")
    cursor: str = Field(description="Give it as `after`, or as Last-Event-ID, to go on from here.")
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
    """A transaction as it is now."""

    id: str
    state: State
    final: bool = Field(description="Nothing comes after this state.")
    version: int
    required: Required = Field(description="Confirmations, or the chain's own tag.")
    confirmations: int = Field(description="Counted as this is read.")
    flags: list[Flag]
    provider_degraded: bool = Field(description="The source does not answer as it should.")
    block: BlockView | None
    outcome: OutcomeView | None
    superseded_by: str | None
    reason: str | None
    parked: str | None = Field(
        description="Why it is parked: the last crash of its tracker, which crashed too often, or "
        "what no provider sends in a readable way. It is null for a transaction that is not parked."
    )
    deadline: datetime | None
    metadata: Json
    created_at: datetime
    updated_at: datetime


class TransactionDetail(TransactionView):
    """A transaction as it is now, how it came to be so, and why."""

    why: WhyView
    history: list[EventView] = Field(description="The last 100 events, the oldest first.")


class TransactionPage(BaseModel):
    """A page of transactions."""

    transactions: list[TransactionView]
    next: str | None = Field(description="Give it as `cursor` for the next page.")


class EventPage(BaseModel):
    """A page of events."""

    events: list[EventView]
    next: str = Field(description="Give it as `after`, also when there is nothing more yet.")
    more: bool = Field(description="There is more already.")


class WaitResult(BaseModel):
    """What became of a transaction while somebody waited."""

    reached: bool = Field(description="It is where it was waited for, or at an end.")
    transaction: TransactionView


def rfc3339(seconds: float) -> str:
    """Write Unix seconds as a time in UTC.

    Source:
        RFC 3339.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def transaction_view(kept: Kept, confirmations: int, degraded: bool) -> Json:
    """Show a transaction."""
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
        # It was made by this program, from an object that somebody sent: no need to read it.
        "metadata": orjson.Fragment(kept.metadata),
        "created_at": rfc3339(kept.created_at),
        "updated_at": rfc3339(kept.updated_at),
    }


def event_view(entry: Entry) -> Json:
    """Show an event."""
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
    """Show why a transaction is where it is."""
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
    # In digits: a fee can be larger than any number that JSON's readers agree on.
    fee = None if outcome.fee is None else str(outcome.fee)
    scope = None if outcome.fee is None else outcome.fee_scope
    error = outcome.error
    return {"succeeded": outcome.succeeded, "fee": fee, "fee_scope": scope, "error": error}
