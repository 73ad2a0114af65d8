"""Explain why a transaction is in its state and what it waits for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from transaction_tracker.domain import Flag, Policy, Reason, Rule, State, Tracked

WaitsFor = Literal[
    "first_answer",  # the first answer of the source about the transaction
    "inclusion",  # a block that contains it
    "reappearance",  # a provider that knows it again
    "confirmations",  # further blocks
    "finality_tag",  # the chain's tag "safe" or "finalized" on its block
    "a_new_start",  # a new registration, since it is parked
    "nothing",  # it has ended
]

# A transaction that is not in a block is looked up individually at least this often.
MAX_LOOKUP_INTERVAL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts outside the transaction that the explanation needs.

    Attributes:
        now: Current time in Unix seconds.
        since: Unix seconds at which the transaction entered its state.
        tip: Height of the highest applied block.
        confirmations: Confirmations of the transaction.
        degraded: Why the state can be out of date; ``None`` if it cannot.
        policy: Times and blocks after which a missing transaction counts as dropped.
    """

    now: float
    since: float
    tip: int | None
    confirmations: int
    degraded: str | None = None
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class NextCheck:
    """Latest time of the next check.

    Attributes:
        at_height: The check happens with the block of this height.
        at_time: The check happens at this time, in Unix seconds.
        within_seconds: The check happens within this time, and with every block.
    """

    at_height: int | None = None
    at_time: float | None = None
    within_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a transaction is in its state.

    Attributes:
        sentence: Explanation for people.
        waits_for: What must happen next.
        since: Unix seconds at which the transaction entered its state.
        missing_confirmations: Number of missing confirmations; ``None`` if they do not decide.
        next_check: Latest time of the next check; ``None`` if there is none.
        notes: Further notes for people.
    """

    sentence: str
    waits_for: WaitsFor
    since: float
    missing_confirmations: int | None
    next_check: NextCheck | None
    notes: tuple[str, ...] = ()


_FLAGS: dict[Flag, str] = {
    "stuck": "It has been pending for unusually long.",
    "underpriced": "Its fee is below the current price; its sender can replace it with a higher "
    "fee.",
    "nonce_gap": "An earlier transaction of its sender is missing; no block can include it before.",
    "finality_violation": "It was final in a block that a reorganisation removed; deliveries are "
    "frozen until an operator resumes them.",
    "status_unknown": "Its receipt has no status, as before the Byzantium fork: whether it "
    "succeeded is unknown, and it stays mined.",
}

_REASONS: dict[Reason, str] = {
    "repriced": "the same payment with another fee",
    "cancelled": "a cancellation by its sender",
    "replaced": "another transaction of its sender",
    "nonce-used": "an authorization, or a transaction that no provider has",
    "conflicted": "a transaction that spends an output of an earlier one of this chain",
}


def why(tracked: Tracked, situation: Situation) -> Why:
    """Return why a transaction is in its state."""
    if tracked.error is not None and not tracked.final:
        sentence = (
            f"Parked in state {tracked.state}: its tracker crashed too often, or no provider sends "
            f"it in a readable form. Last error: {tracked.error}. Register it again to start a "
            "new tracker."
        )
        return Why(sentence, "a_new_start", situation.since, None, None, _notes(tracked, situation))
    return Why(
        _SENTENCES[tracked.state](tracked, situation),
        _waits_for(tracked),
        situation.since,
        _missing_confirmations(tracked, situation),
        _next_check(tracked, situation),
        _notes(tracked, situation),
    )


def _waits_for(tracked: Tracked) -> WaitsFor:
    if tracked.waits_for_depth:
        return "finality_tag" if isinstance(tracked.required, str) else "confirmations"
    if tracked.by_slot and tracked.state == "registered":
        return "inclusion"
    waits: dict[State, WaitsFor] = {
        "registered": "first_answer",
        "pending": "inclusion",
        "missing": "reappearance",
        "dropped": "reappearance",
    }
    return waits.get(tracked.state, "nothing")


def _missing_confirmations(tracked: Tracked, situation: Situation) -> int | None:
    if not tracked.waits_for_depth or isinstance(tracked.required, str):
        return None
    return max(0, tracked.required - situation.confirmations)


def _next_check(tracked: Tracked, situation: Situation) -> NextCheck | None:
    if tracked.final:
        return None
    if tracked.waits_for_depth:
        following = None if situation.tip is None else situation.tip + 1
        return NextCheck(at_height=following if tracked.due is None else tracked.due)
    deadline = tracked.deadline
    if deadline is not None and 0 < deadline - situation.now < MAX_LOOKUP_INTERVAL_SECONDS:
        return NextCheck(at_time=deadline)
    return NextCheck(within_seconds=MAX_LOOKUP_INTERVAL_SECONDS)


def _notes(tracked: Tracked, situation: Situation) -> tuple[str, ...]:
    notes = [text for flag, text in _FLAGS.items() if flag in tracked.flags]
    if situation.degraded is not None and not tracked.final:
        notes.append(f"This state can be out of date: {situation.degraded}.")
    if tracked.deadline is not None and tracked.unplaced and tracked.deadline > situation.now:
        left = duration(tracked.deadline - situation.now)
        notes.append(f"It expires in {left} if no block includes it by then.")
    if isinstance(tracked.required_by, Rule):
        notes.append(_rule(tracked.required_by))
    return tuple(notes)


def _rule(rule: Rule) -> str:
    needed = rule.required if isinstance(rule.required, str) else f"{rule.required} confirmations"
    return f"The rule for {rule} requires {needed}."


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as ``2 h 5 min``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _registered(tracked: Tracked, situation: Situation) -> str:
    waited = duration(situation.now - situation.since)
    if tracked.by_slot:
        return f"Registered {waited} ago; waiting for a block with a transaction of this nonce."
    return f"Registered {waited} ago; the source has not answered about it yet."


def _pending(tracked: Tracked, situation: Situation) -> str:
    since = situation.since if tracked.waiting_since is None else tracked.waiting_since
    waited = duration(situation.now - since)
    if tracked.by_slot:
        return (
            f"A reorganisation removed the block that had it {waited} ago; waiting for a block "
            "with a transaction of this nonce."
        )
    return f"Known to the source for {waited}; waiting for a block that includes it."


def _missing(tracked: Tracked, situation: Situation) -> str:
    policy, seen = situation.policy, tracked.missing_since
    since = situation.since if seen is None else seen.time
    blocks = 0 if seen is None or situation.tip is None else situation.tip - seen.height
    return (
        f"Unknown to the source for {duration(situation.now - since)} and {max(0, blocks)} blocks. "
        f"It is dropped once it has been missing at every healthy provider for "
        f"{policy.drop_blocks} blocks and {duration(policy.drop_seconds)}."
    )


def _mined(tracked: Tracked, situation: Situation) -> str:
    return f"{_in_block(tracked)}; {_depth(tracked, situation)}."


def _mined_reverted(tracked: Tracked, situation: Situation) -> str:
    return f"It did not succeed{_failure(tracked)}. {_mined(tracked, situation)}"


def _superseded(tracked: Tracked, situation: Situation) -> str:
    return f"{_replacement(tracked)} {_in_block(tracked)}; {_depth(tracked, situation)}."


def _confirmed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it succeeded. {_in_block(tracked)}, {_deep(tracked)}."


def _failed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it did not succeed{_failure(tracked)}. {_in_block(tracked)}, {_deep(tracked)}."


def _replaced(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: {_replacement(tracked)} {_in_block(tracked)}, {_deep(tracked)}."


def _dropped(tracked: Tracked, situation: Situation) -> str:
    waited = duration(situation.now - situation.since)
    if tracked.reason == "nonce-used":
        return (
            f"Dropped {waited} ago: no healthy provider knew it any more, and its nonce was used, "
            "but not by a transaction that a provider has; for example by an EIP-7702 "
            "authorization of its sender."
        )
    if tracked.reason == "conflicted":
        return (
            f"Dropped {waited} ago: no healthy provider knew it any more, and an output that it "
            "spends is spent or does not exist on this chain. If a reorganisation brings the "
            "output back and it is mined after all, tracking continues."
        )
    return (
        f"Dropped {waited} ago: no healthy provider knew it any more. If it is mined after all, "
        "tracking continues."
    )


def _expired(_tracked: Tracked, _situation: Situation) -> str:
    return "Final: it was not in a block at its deadline."


def _invalid(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: the source reports that it can never be a valid transaction{_failure(tracked)}."


def _untracked(_tracked: Tracked, _situation: Situation) -> str:
    return "Final: tracking was stopped by a request. Register it to track it again."


def _reversed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it succeeded and was reversed later{_failure(tracked)}."


_SENTENCES: dict[State, Callable[[Tracked, Situation], str]] = {
    "registered": _registered,
    "pending": _pending,
    "missing": _missing,
    "mined": _mined,
    "mined_reverted": _mined_reverted,
    "superseded": _superseded,
    "confirmed": _confirmed,
    "failed": _failed,
    "replaced": _replaced,
    "dropped": _dropped,
    "expired": _expired,
    "invalid": _invalid,
    "untracked": _untracked,
    "reversed": _reversed,
}


def _in_block(tracked: Tracked) -> str:
    # A source without blocks, such as a bank, has no anchor.
    return "Not in a block" if tracked.anchor is None else f"In block {tracked.anchor.number}"


def _depth(tracked: Tracked, situation: Situation) -> str:
    if isinstance(tracked.required, str):
        return (
            f"it has {situation.confirmations} confirmations, and is final when the chain marks "
            f"that block as {tracked.required}"
        )
    missing = _missing_confirmations(tracked, situation)
    return (
        f"it has {situation.confirmations} of {tracked.required} confirmations, {missing} missing"
    )


def _deep(tracked: Tracked) -> str:
    if isinstance(tracked.required, str):
        return f"which the chain has marked as {tracked.required}"
    return f"with the {tracked.required} required confirmations"


def _failure(tracked: Tracked) -> str:
    error = tracked.outcome and tracked.outcome.error
    return f" ({error})" if error else ""


def _replacement(tracked: Tracked) -> str:
    reason = "" if tracked.reason is None else f", {_REASONS[tracked.reason]},"
    return f"{tracked.superseded_by or 'another transaction'}{reason} replaced it."
