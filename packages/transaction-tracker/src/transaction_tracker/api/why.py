"""Why a transaction is where it is, and what it waits for: in a sentence, and as facts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from transaction_tracker.domain import Flag, Policy, Reason, State, Tracked

WaitsFor = Literal[
    "first_answer",  # the source was not asked yet, or did not answer
    "inclusion",  # a block has to take it
    "reappearance",  # somebody has to know it again
    "confirmations",  # more blocks have to follow
    "finality_tag",  # the chain has to call its block safe, or finalized
    "a_new_start",  # its tracker was parked
    "nothing",  # it has ended
]

# Whatever happens, a transaction in no block is asked about singly at least this often.
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What beside the transaction itself decides what is to be said of it.

    Attributes:
        now: Unix seconds.
        since: Unix seconds since when it is in its state.
        tip: Height of the highest block that was applied.
        confirmations: How many it has.
        degraded: Why what is known can be out of date; ``None`` when the source moves.
        policy: When waiting becomes something worse.
    """

    now: float
    since: float
    tip: int | None
    confirmations: int
    degraded: str | None = None
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class NextCheck:
    """When it is looked at next, at the latest.

    Attributes:
        at_height: With the block of this height.
        at_time: At this time, in Unix seconds.
        within_seconds: Within so many seconds, and with every block.
    """

    at_height: int | None = None
    at_time: float | None = None
    within_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a transaction is where it is.

    Attributes:
        sentence: For people.
        waits_for: What has to happen next.
        since: Unix seconds since when.
        missing_confirmations: How many are missing, where they decide.
        next_check: When it is looked at next; ``None`` when never.
        notes: What else there is to know, for people.
    """

    sentence: str
    waits_for: WaitsFor
    since: float
    missing_confirmations: int | None
    next_check: NextCheck | None
    notes: tuple[str, ...] = ()


_FLAGS: dict[Flag, str] = {
    "stuck": "It is pending for longer than is usual.",
    "underpriced": "It offers less than a block takes now; its sender can offer more.",
    "nonce_gap": "An earlier transaction of its sender is missing: no block can take it before.",
    "finality_violation": "It had ended in a block that the chain took back; "
    "deliveries are frozen until somebody lets them go on.",
    "status_unknown": "Its receipt has no status, as before the Byzantium fork: whether it "
    "succeeded is unknown, and it stays mined.",
}

_REASONS: dict[Reason, str] = {
    "repriced": "the same payment at another price",
    "cancelled": "a cancellation by its sender",
    "replaced": "something else from its sender",
    "nonce-used": "an authorization, or a transaction that no provider has",
}


def why(tracked: Tracked, situation: Situation) -> Why:
    """Say why a transaction is where it is."""
    if tracked.error is not None and not tracked.final:
        sentence = (
            f"It is parked in state {tracked.state}: its tracker crashed too often, or no provider "
            f"describes it in a readable way. The last error: {tracked.error}. Register it again "
            "to give it a new tracker."
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
    if deadline is not None and 0 < deadline - situation.now < LONGEST_PAUSE_SECONDS:
        return NextCheck(at_time=deadline)
    return NextCheck(within_seconds=LONGEST_PAUSE_SECONDS)


def _notes(tracked: Tracked, situation: Situation) -> tuple[str, ...]:
    notes = [text for flag, text in _FLAGS.items() if flag in tracked.flags]
    if situation.degraded is not None and not tracked.final:
        notes.append(f"This can be out of date: {situation.degraded}.")
    if tracked.deadline is not None and tracked.unplaced and tracked.deadline > situation.now:
        left = duration(tracked.deadline - situation.now)
        notes.append(f"Its deadline is in {left}; in no block then, it expires.")
    return tuple(notes)


def duration(seconds: float) -> str:
    """Write a time in the two largest units that say something: ``2 h 5 min``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _registered(_tracked: Tracked, situation: Situation) -> str:
    waited = duration(situation.now - situation.since)
    return f"Registered {waited} ago; the source has given no answer about it yet."


def _pending(tracked: Tracked, situation: Situation) -> str:
    since = situation.since if tracked.waiting_since is None else tracked.waiting_since
    waited = duration(situation.now - since)
    return f"Known to the source for {waited} and in no block: it waits for one to take it."


def _missing(tracked: Tracked, situation: Situation) -> str:
    policy, seen = situation.policy, tracked.missing_since
    since = situation.since if seen is None else seen.time
    blocks = 0 if seen is None or situation.tip is None else situation.tip - seen.height
    return (
        f"Unknown to the source for {duration(situation.now - since)} and {max(0, blocks)} blocks. "
        f"Missing at every healthy provider for {policy.drop_blocks} blocks and "
        f"{duration(policy.drop_seconds)}, it counts as dropped."
    )


def _mined(tracked: Tracked, situation: Situation) -> str:
    return f"{_in_block(tracked)}; {_depth(tracked, situation)}."


def _mined_reverted(tracked: Tracked, situation: Situation) -> str:
    return f"It did not succeed{_failure(tracked)}. {_mined(tracked, situation)}"


def _superseded(tracked: Tracked, situation: Situation) -> str:
    return f"{_rival(tracked)} {_in_block(tracked)}; {_depth(tracked, situation)}."


def _confirmed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it succeeded. {_in_block(tracked)}, {_deep(tracked)}."


def _failed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it did not succeed{_failure(tracked)}. {_in_block(tracked)}, {_deep(tracked)}."


def _replaced(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: {_rival(tracked)} {_in_block(tracked)}, {_deep(tracked)}."


def _dropped(tracked: Tracked, situation: Situation) -> str:
    waited = duration(situation.now - situation.since)
    if tracked.reason == "nonce-used":
        return (
            f"No healthy provider knew it {waited} ago, and its nonce was used by no transaction "
            "that a provider has: for example by an EIP-7702 authorization of its sender."
        )
    return (
        f"Every healthy provider had lost it {waited} ago. Should it be mined even so, it goes on."
    )


def _expired(_tracked: Tracked, _situation: Situation) -> str:
    return "Final: its deadline passed while it was in no block."


def _invalid(tracked: Tracked, _situation: Situation) -> str:
    return (
        f"Final: the source says that it can never be one of its transactions{_failure(tracked)}."
    )


def _untracked(_tracked: Tracked, _situation: Situation) -> str:
    return "Final: it is followed no more, as somebody asked. Register it to follow it again."


def _reversed(tracked: Tracked, _situation: Situation) -> str:
    return f"Final: it had succeeded, and was taken back later{_failure(tracked)}."


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
    # A source without blocks, a bank for one, has no anchor to show.
    return "In no block" if tracked.anchor is None else f"In block {tracked.anchor.number}"


def _depth(tracked: Tracked, situation: Situation) -> str:
    if isinstance(tracked.required, str):
        return (
            f"it has {situation.confirmations} confirmations, and is final when the chain calls "
            f"that block {tracked.required}"
        )
    missing = _missing_confirmations(tracked, situation)
    return (
        f"it has {situation.confirmations} of {tracked.required} confirmations, {missing} missing"
    )


def _deep(tracked: Tracked) -> str:
    if isinstance(tracked.required, str):
        return f"which the chain calls {tracked.required}"
    return f"with the {tracked.required} confirmations that it needed"


def _failure(tracked: Tracked) -> str:
    told = tracked.outcome and tracked.outcome.error
    return f" ({told})" if told else ""


def _rival(tracked: Tracked) -> str:
    what = "" if tracked.reason is None else f", {_REASONS[tracked.reason]},"
    return f"{tracked.superseded_by or 'another transaction'}{what} took its place."
