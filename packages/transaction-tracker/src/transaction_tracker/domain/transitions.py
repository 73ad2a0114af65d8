"""The transitions: which state each fact leads to from each state."""

from collections.abc import Iterable
from typing import Any, TypeAlias, assert_never

from msgspec.structs import replace

from transaction_tracker.domain.details import NO_DETAILS, Details
from transaction_tracker.domain.facts import (
    Abandoned,
    Absent,
    Buried,
    Included,
    Late,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Rejected,
    Reported,
    Seen,
    Transaction,
    Vanished,
)
from transaction_tracker.domain.policy import Policy
from transaction_tracker.domain.registration import Registration
from transaction_tracker.domain.rules import Rule, rank, strictest
from transaction_tracker.domain.states import (
    ANCHORED,
    ENDS,
    TERMINAL,
    Flag,
    Reason,
    Required,
    State,
    at_least,
)
from transaction_tracker.domain.tracked import Event, Sighting, Tracked

_MINED: frozenset[State] = frozenset(("mined", "mined_reverted"))
# Flags that are only valid while the transaction is pending.
_WAITING: frozenset[Flag] = frozenset(("stuck", "underpriced", "nonce_gap"))

_STATUS_UNKNOWN: frozenset[Flag] = frozenset(("status_unknown",))

DEFAULT_POLICY = Policy()

# The values of some attributes of a transaction.
_Changes: TypeAlias = dict[str, Any]


def transition(
    tracked: Tracked, observation: Observation, policy: Policy = DEFAULT_POLICY
) -> tuple[Tracked, Event | None]:
    """Apply one fact to a transaction.

    A fact without news returns the same value and no event, so that facts can be repeated.
    """
    rule = _apply_final if tracked.final else _apply
    changes = rule(tracked, observation, policy)
    for name, value in changes.items():
        if getattr(tracked, name) != value:
            break
    else:
        return tracked, None
    after = replace(tracked, version=tracked.version + 1, **changes)
    minimum = observation.transaction.min_confirmations if isinstance(observation, Included) else 1
    details = _details_of(observation)
    return after, Event(tracked.state, after, details=details, min_confirmations=minimum)


def decide(
    tracked: Tracked, observations: Iterable[Observation], policy: Policy = DEFAULT_POLICY
) -> tuple[Event, ...]:
    """Apply facts in order, and return the events of the transitions."""
    events: list[Event] = []
    for observation in observations:
        tracked, event = transition(tracked, observation, policy)
        if event is not None:
            events.append(event)
    return tuple(events)


def reregistered(tracked: Tracked, registration: Registration) -> Event:
    """Return the event that registers a transaction again after the user stopped tracking it."""
    known = registration.known
    shown = tracked if known is None else known
    after = Tracked(
        tracked.id,
        registration.required,
        version=tracked.version + 1,
        deadline=registration.deadline,
        slots=shown.slots,
        content=shown.content,
        max_fee=shown.max_fee,
        revision=tracked.revision,
        source=tracked.source,
        given=tracked.given,
        required_by=registration.required_by,
    )
    return Event(tracked.state, after)


def _details_of(observation: Observation) -> Details:
    match observation:
        case Seen(transaction):
            return Details(transaction.payment)
        case Included(transaction, _, outcome):
            return Details(transaction.payment, None if outcome is None else outcome.execution)
    return NO_DETAILS


def _apply_final(tracked: Tracked, observation: Observation, _policy: Policy) -> _Changes:
    """Return the changes of a transaction in a final state; only two facts change one."""
    match observation:
        case Orphaned(block, at) if tracked.anchor == block and tracked.state in ENDS.values():
            # A final block was removed. The flag makes it visible in the event and the API.
            return _orphaned(tracked, at) | {"flags": tracked.flags | {"finality_violation"}}
        case Reported("reversed", error) if tracked.state == "confirmed":
            return _reported(tracked, "reversed", error)
    return {}


def _apply(tracked: Tracked, observation: Observation, policy: Policy) -> _Changes:
    match observation:
        case Seen():
            return _seen(tracked, observation, policy)
        case Included():
            return _included(tracked, observation, policy)
        case Overtaken():
            return _overtaken(tracked, observation)
        case Orphaned(block, at):
            return _orphaned(tracked, at) if tracked.anchor == block else {}
        case Buried():
            return _buried(tracked, observation)
        case Absent() | Vanished() | Late() | Rejected():
            return _apply_unplaced(tracked, observation, policy) if tracked.unplaced else {}
        case Abandoned():
            return {**_clear_waiting(tracked), "state": "untracked"}
        case Reported(state, error):
            return _reported(tracked, state, error)
    assert_never(observation)


def _apply_unplaced(
    tracked: Tracked, observation: Absent | Vanished | Late | Rejected, policy: Policy
) -> _Changes:
    """Return the changes by a fact that only matters for a transaction in no block."""
    if tracked.state == "dropped":
        # It has ended. Only what brings it back to life changes that; no other end follows.
        return {}
    match observation:
        case Absent(height, at):
            return _absent(tracked, Sighting(height, at))
        case Vanished():
            return _vanished(tracked, observation, policy)
        case Late(at):
            late = tracked.deadline is not None and at >= tracked.deadline
            return {**_clear_waiting(tracked), "state": "expired"} if late else {}
        case Rejected(why):
            return {**_clear_waiting(tracked), "state": "invalid", "outcome": _failed(why)}
    assert_never(observation)


def _seen(tracked: Tracked, seen: Seen, policy: Policy) -> _Changes:
    # A block outweighs a pool: a node that still lists a mined transaction as pending is behind.
    if tracked.waits_for_depth:
        return {}
    since = seen.at if tracked.waiting_since is None else tracked.waiting_since
    rule = None
    if tracked.state != "pending" or tracked.content is None:
        rule = strictest(policy.rules, seen.transaction.payment)
    return {
        **_raised(tracked, tracked.required, rule),
        **_content_of(tracked, seen.transaction),
        "state": "pending",
        "waiting_since": since,
        "missing_since": None,
        "reason": None,
        "flags": tracked.flags - _WAITING | _waiting_flags(seen, since, policy),
    }


def _waiting_flags(seen: Seen, since: float, policy: Policy) -> frozenset[Flag]:
    offer, base_fee = seen.transaction.max_fee, seen.base_fee
    flags: dict[Flag, bool] = {
        "stuck": seen.at - since >= policy.stuck_seconds,
        "underpriced": offer is not None and base_fee is not None and offer < base_fee,
        "nonce_gap": seen.gap,
    }
    return frozenset(flag for flag, raised in flags.items() if raised)


def _included(tracked: Tracked, included: Included, policy: Policy) -> _Changes:
    # Some chains list one hash in two blocks. Only a reorganisation takes a transaction out of its
    # block: applying the second inclusion would restart its confirmations, again and again.
    if tracked.state in _MINED and tracked.anchor != included.block:
        return {}
    outcome = included.outcome
    if outcome is None and tracked.anchor == included.block:
        # A receipt without a status does not replace the status of another receipt.
        outcome = tracked.outcome
    reverted = outcome is not None and not outcome.succeeded
    changes = {
        **_clear_waiting(tracked),
        **_content_of(tracked, included.transaction),
        **_raised(
            tracked,
            at_least(tracked.required, included.transaction.min_confirmations),
            _rule_in_block(tracked, included, policy),
        ),
        "state": "mined_reverted" if reverted else "mined",
        "anchor": included.block,
        # The event has the execution. Kept here, it would use memory for each open transaction.
        "outcome": None if outcome is None else outcome.without_execution(),
        "superseded_by": None,
        "reason": None,
    }
    changes["flags"] -= _STATUS_UNKNOWN
    if outcome is None:
        changes["flags"] |= _STATUS_UNKNOWN
    return changes


def _rule_in_block(tracked: Tracked, included: Included, policy: Policy) -> Rule | None:
    """Return the rule for what a transaction did in its block; ``None`` if it is judged already.

    Judged once for each block and each result there: a rule that is new in the configuration must
    not change what was told of a transaction in the same block.
    """
    outcome, known = included.outcome, tracked.outcome
    if outcome is None:  # it cannot end, and is judged when its result is known
        return None
    is_same_block = tracked.state in _MINED and tracked.anchor == included.block
    if is_same_block and known is not None and known.effects == outcome.effects:
        return None
    payment = included.transaction.payment
    return strictest(policy.rules, payment, outcome.execution, is_in_block=True)


def _raised(tracked: Tracked, required: Required, rule: Rule | None) -> _Changes:
    """Return what makes the state final: ``required``, or what a rule requires if that is more.

    Never less than before, because that was told. What the user asks for outweighs each rule.
    """
    if rule is None or tracked.required_by == "request" or rank(rule.required) <= rank(required):
        return {"required": required}
    return {"required": rule.required, "required_by": rule}


def _overtaken(tracked: Tracked, overtaken: Overtaken) -> _Changes:
    # Only a reorganisation takes a transaction out of its block, or gives a slot to another
    # winner. Without one, the slot was used twice, so it is not a slot on this chain.
    if tracked.waits_for_depth:
        return {}
    return {
        **_clear_waiting(tracked),
        "state": "superseded",
        "anchor": overtaken.block,
        "outcome": None,
        "superseded_by": overtaken.winner.id,
        "reason": _reason(tracked, overtaken.winner),
    }


def _orphaned(tracked: Tracked, at: float) -> _Changes:
    """Return the changes that take a transaction out of a block that is no longer canonical."""
    return {
        "state": "pending",
        "flags": tracked.flags - _STATUS_UNKNOWN,
        # Another transaction can take the slot now.
        "hash": None,
        "waiting_since": at,
        "anchor": None,
        "outcome": None,
        "superseded_by": None,
        "reason": None,
    }


def _buried(tracked: Tracked, buried: Buried) -> _Changes:
    if tracked.anchor != buried.block or tracked.state not in ANCHORED:
        return {}
    if "status_unknown" in tracked.flags or not buried.reaches(tracked.required):
        return {}
    return {"state": ENDS[tracked.state]}


def _absent(tracked: Tracked, since: Sighting) -> _Changes:
    if tracked.state == "missing":
        return {}
    return {**_clear_waiting(tracked), "state": "missing", "missing_since": since}


def _vanished(tracked: Tracked, now: Vanished, policy: Policy) -> _Changes:
    since = tracked.missing_since
    if tracked.state != "missing" or since is None:
        return {}
    long = now.height - since.height >= policy.drop_blocks
    long = long and now.at - since.time >= policy.drop_seconds
    return {"state": "dropped", "reason": now.reason} if long else {}


def _reported(tracked: Tracked, state: State, error: str | None) -> _Changes:
    succeeded = state in ("mined", "confirmed")
    outcome = Outcome(succeeded, None, error) if succeeded or state in TERMINAL else None
    return {
        **_clear_waiting(tracked),
        "state": state,
        "anchor": None,
        "outcome": outcome,
        "superseded_by": None,
        "reason": None,
    }


def _clear_waiting(tracked: Tracked) -> _Changes:
    """Return the changes that end waiting: no start times, and no flags about waiting."""
    return {
        "waiting_since": None,
        "missing_since": None,
        "flags": tracked.flags - _WAITING,
    }


def _content_of(tracked: Tracked, transaction: Transaction) -> _Changes:
    """Return the changes that copy the content of a transaction."""
    return {
        "hash": None if transaction.id == tracked.id else transaction.id,
        "slots": transaction.slots,
        "content": transaction.content,
        "max_fee": transaction.max_fee,
    }


def _failed(why: str) -> Outcome:
    return Outcome(succeeded=False, fee=None, error=why)


def _reason(tracked: Tracked, winner: Transaction) -> Reason:
    # Compare contents first: a repriced cancellation is "repriced", not "cancelled".
    if winner.content == tracked.content:
        return "repriced"
    return "cancelled" if winner.cancels else "replaced"
