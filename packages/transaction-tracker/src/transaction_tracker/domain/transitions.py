"""What each fact makes of each state."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from transaction_tracker.domain.facts import (
    Buried,
    Included,
    Observation,
    Orphaned,
    Overtaken,
    Seen,
    Transaction,
)
from transaction_tracker.domain.states import ENDS, Reason
from transaction_tracker.domain.tracked import Event, Tracked


def transition(tracked: Tracked, observation: Observation) -> tuple[Tracked, Event | None]:
    """Apply one fact to a transaction.

    A fact that says nothing new gives the same value back and no event, so that
    facts may come twice.
    """
    if tracked.final:
        return tracked, None
    after = _after(tracked, observation)
    if after == tracked:
        return tracked, None
    after = replace(after, version=tracked.version + 1)
    return after, Event(tracked.state, after)


def decide(tracked: Tracked, observations: Iterable[Observation]) -> tuple[Event, ...]:
    """Apply facts one after the other, and give the transitions that they make."""
    events: list[Event] = []
    for observation in observations:
        tracked, event = transition(tracked, observation)
        if event is not None:
            events.append(event)
    return tuple(events)


def _after(tracked: Tracked, observation: Observation) -> Tracked:
    match observation:
        case Seen():
            return _seen(tracked, observation)
        case Included():
            return _included(tracked, observation)
        case Overtaken():
            return _overtaken(tracked, observation)
        case Orphaned():
            return _orphaned(tracked, observation)
        case Buried():
            return _buried(tracked, observation)
    assert_never(observation)


def _seen(tracked: Tracked, seen: Seen) -> Tracked:
    # A block outweighs a pool: a node that still lists a mined transaction as
    # pending is only late.
    if tracked.waits_for_depth:
        return tracked
    return replace(_described(tracked, seen.transaction), state="pending")


def _included(tracked: Tracked, included: Included) -> Tracked:
    return replace(
        _described(tracked, included.transaction),
        state="mined" if included.outcome.succeeded else "mined_reverted",
        anchor=included.block,
        outcome=included.outcome,
        superseded_by=None,
        reason=None,
    )


def _overtaken(tracked: Tracked, overtaken: Overtaken) -> Tracked:
    return replace(
        tracked,
        state="superseded",
        anchor=overtaken.block,
        outcome=None,
        superseded_by=overtaken.winner.id,
        reason=_reason(tracked, overtaken.winner),
    )


def _orphaned(tracked: Tracked, orphaned: Orphaned) -> Tracked:
    if tracked.anchor != orphaned.block:
        return tracked
    return replace(
        tracked, state="pending", anchor=None, outcome=None, superseded_by=None, reason=None
    )


def _buried(tracked: Tracked, buried: Buried) -> Tracked:
    if tracked.anchor != buried.block or buried.confirmations < tracked.required:
        return tracked
    return replace(tracked, state=ENDS[tracked.state])


def _described(tracked: Tracked, transaction: Transaction) -> Tracked:
    return replace(tracked, slot=transaction.slot, content=transaction.content)


def _reason(tracked: Tracked, winner: Transaction) -> Reason:
    # The same payment first: who reprices a cancellation does not cancel it.
    if winner.content == tracked.content:
        return "repriced"
    return "cancelled" if winner.cancels else "replaced"
