"""Response models of the API, and the functions that fill them.

Each shape of JSON is one dataclass: it describes the response in OpenAPI, and is the response.
Neither frozen nor with slots: such a dataclass is made and written in 60 % of the time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

import orjson
from pydantic import Field, WithJsonSchema

from transaction_tracker.api import cursors
from transaction_tracker.api.why import NextCheck, WaitsFor, Why
from transaction_tracker.delivery.views import (
    Address,
    Block,
    BlockView,
    Deposits,
    Details,
    Expectation,
    Flags,
    Hash,
    InBlock,
    Metadata,
    OutcomeView,
    ReasonOfState,
    SupersededBy,
    TransitionView,
    first_address,
    fragment,
)
from transaction_tracker.domain import Required, RequiredBy, Rule, State, Tracked
from transaction_tracker.store.feed import EventRecord
from transaction_tracker.store.pages import TransactionRecord

# RFC 3339, in UTC.
Time: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Next: TypeAlias = Annotated[
    str | None, Field(description="Send it as `cursor` to get the next page; null at the end.")
]


@dataclass(kw_only=True)
class NextCheckView:
    """Latest time of the next check of a transaction; one of the fields is set."""

    at_height: Annotated[int | None, Field(description="With the block of this height.")] = None
    at_time: Annotated[Time | None, Field(description="At this time.")] = None
    within_seconds: Annotated[
        float | None, Field(description="Within this many seconds, and with every block.")
    ] = None


@dataclass(kw_only=True)
class WhyView:
    """Why a transaction is in its state, and what it waits for."""

    sentence: Annotated[str, Field(description="The explanation, for people.")]
    waits_for: Annotated[WaitsFor, Field(description="What must happen next.")]
    since: Annotated[Time, Field(description="Time when the transaction entered its state.")]
    missing_confirmations: Annotated[
        int | None,
        Field(description="Number of missing confirmations; null if they do not decide."),
    ]
    next_check: Annotated[
        NextCheckView | None,
        Field(
            description="When the transaction is checked next, at the latest; null if it is final."
        ),
    ]
    notes: Annotated[
        list[str],
        Field(
            description="Further explanations, for people, such as that the state can be out of "
            "date."
        ),
    ]


@dataclass(kw_only=True)
class EventView(TransitionView):
    """A transition, or a change of flags: then `previous` equals `state`."""

    id: Annotated[
        str, Field(description="Id of the event, which never changes; identifies duplicates.")
    ]
    cursor: Annotated[
        str, Field(description="Send it as `after` or Last-Event-ID to continue after it.")
    ]
    transaction: Annotated[str, Field(description="Id of the transaction, as it was registered.")]
    recorded_at: Annotated[Time, Field(description="Time when the event was stored.")]


@dataclass(kw_only=True)
class RuleView:
    """The rule that chose what makes the state final."""

    token: Annotated[
        str | None, Field(description="Contract of the token; null for the chain's coin.")
    ]
    value: Annotated[
        str, Field(description="Minimum amount in the smallest unit, as decimal text.")
    ]
    confirmations: Annotated[
        Required, Field(description="Confirmations that the rule requires, or a tag of the chain.")
    ]

    @classmethod
    def of(cls, chosen: RequiredBy) -> Self | None:
        """Return the shape of a rule; ``None`` if no rule has chosen."""
        if not isinstance(chosen, Rule):
            return None
        return cls(token=chosen.token, value=str(chosen.value), confirmations=chosen.required)


@dataclass(kw_only=True)
class TransactionView:
    """Current state of a transaction."""

    id: Annotated[str, Field(description="Id of the transaction, as it was registered.")]
    hash: Hash
    caip_id: Annotated[
        str, Field(description="Id with the chain id of CAIP-2 before it: eip155:1:0x….")
    ]
    state: Annotated[State, Field(description="State of the transaction.")]
    final: Annotated[bool, Field(description="Whether the state can no longer change.")]
    version: Annotated[int, Field(description="Number of its events so far.")]
    required: Annotated[
        Required, Field(description="Required confirmations, or a tag of the chain.")
    ]
    required_by: Annotated[
        Literal["request", "setting", "rule"],
        Field(
            description="Who chose `required`: the registration or a change of it, the setting of "
            "the source, or `rule`. Of a transaction of an older version without rules: request."
        ),
    ]
    rule: Annotated[
        RuleView | None, Field(description="The rule, if `required_by` is `rule`; null otherwise.")
    ]
    confirmations: Annotated[int, Field(description="Confirmations at the time of the request.")]
    flags: Flags
    provider_degraded: Annotated[
        bool,
        Field(
            description="Whether the state can be out of date, because of the source or its "
            "providers."
        ),
    ]
    block: Block
    outcome: InBlock
    superseded_by: SupersededBy
    reason: ReasonOfState
    parked: Annotated[
        str | None,
        Field(
            description="Why the transaction is parked: the last crash of its tracker, which "
            "crashed too often, or data that no provider sends in a readable form. Null if it is "
            "not parked."
        ),
    ]
    deadline: Annotated[
        Time | None,
        Field(description="Time after which it expires if it is in no block; null without one."),
    ]
    metadata: Metadata
    details: Details
    expectation: Expectation
    address: Address
    deposits: Deposits
    waiting_since: Annotated[
        Time | None,
        Field(
            description="Time since when it is pending or missing; null in other states. A change "
            "of its flags does not change it."
        ),
    ]
    created_at: Annotated[Time, Field(description="Time of the registration.")]
    updated_at: Annotated[Time, Field(description="Time of the last change.")]


@dataclass(kw_only=True)
class TransactionDetail(TransactionView):
    """Current state of a transaction, with the reason and the history."""

    why: Annotated[WhyView, Field(description="Why it is in its state, and what it waits for.")]
    history: Annotated[list[EventView], Field(description="Last 100 events, the oldest first.")]


@dataclass(kw_only=True)
class TransactionPage:
    """A page of transactions."""

    transactions: Annotated[
        list[TransactionView], Field(description="The transactions of the page.")
    ]
    next: Next


@dataclass(kw_only=True)
class TransactionPageWithCursors(TransactionPage):
    """A page of transactions; `cursors` only if the request asks for them."""

    cursors: Annotated[
        list[str] | None, Field(description="Of each transaction: `cursor` to go on after it.")
    ] = None


@dataclass(kw_only=True)
class EventPage:
    """A page of events."""

    events: Annotated[list[EventView], Field(description="The events of the page.")]
    next: Annotated[str, Field(description="Send it as `after` to get the next page; never null.")]
    more: Annotated[bool, Field(description="Whether the next page already has events.")]


@dataclass(kw_only=True)
class WaitResult:
    """Result of a long poll."""

    reached: Annotated[
        bool, Field(description="Whether the transaction is in the state, or has ended.")
    ]
    transaction: Annotated[TransactionView, Field(description="The transaction as it is now.")]


def rfc3339(seconds: float) -> str:
    """Return Unix seconds as a time in UTC.

    Source:
        RFC 3339.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def optional_time(seconds: float | None) -> str | None:
    """Return Unix seconds as a time in UTC, if there are any."""
    return None if seconds is None else rfc3339(seconds)


def transaction_view(
    kept: TransactionRecord, confirmations: int, degraded: bool
) -> TransactionView:
    """Return the shape of a transaction."""
    return TransactionView(**_transaction(kept, confirmations, degraded))


def transaction_detail(
    kept: TransactionRecord, confirmations: int, degraded: bool, why: Why, events: list[EventRecord]
) -> TransactionDetail:
    """Return the shape of a transaction, with the reason for its state and its last events."""
    return TransactionDetail(
        **_transaction(kept, confirmations, degraded),
        why=_why(why),
        history=[event_view(entry) for entry in events],
    )


def event_view(entry: EventRecord) -> EventView:
    """Return the shape of an event."""
    return EventView.of(
        entry,
        id=entry.event.id,
        cursor=cursors.of_event(entry.position),
        transaction=entry.event.tracked.key,
        recorded_at=rfc3339(entry.recorded_at),
    )


def _transaction(kept: TransactionRecord, confirmations: int, degraded: bool) -> dict[str, Any]:
    tracked, by = kept.tracked, kept.tracked.required_by
    return {
        "id": tracked.key,
        "hash": tracked.hash,
        "caip_id": tracked.caip_id,
        "state": tracked.state,
        "final": tracked.final,
        "version": tracked.version,
        "required": tracked.required,
        "required_by": "rule" if isinstance(by, Rule) else by,
        "rule": RuleView.of(by),
        "confirmations": confirmations,
        "flags": sorted(tracked.flags),
        "provider_degraded": degraded,
        "block": BlockView.of(tracked.anchor),
        "outcome": OutcomeView.of(tracked.outcome),
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
        "parked": tracked.error,
        "deadline": optional_time(tracked.deadline),
        "metadata": orjson.Fragment(kept.metadata),
        "details": fragment(kept.details),
        "expectation": fragment(kept.expectation),
        "address": first_address(kept.deposits),
        "deposits": fragment(kept.deposits),
        "waiting_since": optional_time(_waiting_since(tracked)),
        "created_at": rfc3339(kept.created_at),
        "updated_at": rfc3339(kept.updated_at),
    }


def _waiting_since(tracked: Tracked) -> float | None:
    if tracked.state == "missing" and tracked.missing_since is not None:
        return tracked.missing_since.time
    return tracked.waiting_since if tracked.state == "pending" else None


def _why(why: Why) -> WhyView:
    return WhyView(
        sentence=why.sentence,
        waits_for=why.waits_for,
        since=rfc3339(why.since),
        missing_confirmations=why.missing_confirmations,
        next_check=None if why.next_check is None else _next_check(why.next_check),
        notes=list(why.notes),
    )


def _next_check(check: NextCheck) -> NextCheckView:
    return NextCheckView(
        at_height=check.at_height,
        at_time=optional_time(check.at_time),
        within_seconds=check.within_seconds,
    )
