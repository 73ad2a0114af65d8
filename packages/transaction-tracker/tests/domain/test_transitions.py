"""Each fact in each state: the table of the expected states."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    ANCHORED,
    ENDS,
    STATES,
    TERMINAL,
    UNPLACED,
    Abandoned,
    Absent,
    BlockRef,
    Buried,
    Included,
    Late,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Policy,
    Reason,
    Registration,
    Rejected,
    Reported,
    Required,
    Seen,
    Sighting,
    State,
    Tag,
    Tracked,
    Transaction,
    Vanished,
    reregistered,
    transition,
)

Table = dict[str, tuple[State, BlockRef | None]]

HERE = BlockRef(10, "ten")
ELSEWHERE = BlockRef(11, "eleven")
PAYMENT = Transaction("tx", slots=("alice:7",), content="pay bob 5")
FASTER = Transaction("faster", slots=("alice:7",), content="pay bob 5")
NOTHING = Transaction("nothing", slots=("alice:7",), content="pay alice 0", cancels=True)
OTHER = Transaction("other", slots=("alice:7",), content="pay carol 9")
CHEAP = Transaction("tx", slots=("alice:7",), content="pay bob 5", max_fee=100)
GOOD = Outcome(succeeded=True, fee=21)
BAD = Outcome(succeeded=False, fee=30, error="no money")


def _without(table: Table, *facts: str) -> Table:
    return {name: end for name, end in table.items() if name not in facts}


NOW = 1_000_000.0
POLICY = Policy(drop_blocks=5, drop_seconds=60.0, stuck_seconds=600.0)

FACTS: dict[str, Observation] = {
    "seen": Seen(PAYMENT, NOW),
    "included here": Included(PAYMENT, HERE, GOOD),
    "included elsewhere": Included(PAYMENT, ELSEWHERE, GOOD),
    "included without a status": Included(PAYMENT, HERE, None),
    "reverted here": Included(PAYMENT, HERE, BAD),
    "reverted elsewhere": Included(PAYMENT, ELSEWHERE, BAD),
    "overtaken here": Overtaken(OTHER, HERE),
    "overtaken elsewhere": Overtaken(OTHER, ELSEWHERE),
    "orphaned here": Orphaned(HERE, NOW),
    "orphaned elsewhere": Orphaned(ELSEWHERE, NOW),
    "buried here": Buried(HERE, 3),
    "buried elsewhere": Buried(ELSEWHERE, 3),
    "shallow here": Buried(HERE, 2, frozenset(("safe", "finalized"))),
    "absent": Absent(20, NOW),
    "vanished": Vanished(20, NOW),
    "vanished with its nonce used": Vanished(20, NOW, "nonce-used"),
    "vanished too soon": Vanished(14, NOW),
    "vanished too early": Vanished(20, NOW - 50),
    "late": Late(NOW),
    "not late": Late(NOW - 100),
    "refused": Rejected("of another chain"),
    "abandoned": Abandoned(),
    "reported confirmed": Reported("confirmed"),
    "reported reversed": Reported("reversed", "the payer's bank took it back"),
}

# The next state, and the block that decides it. A fact that is not listed changes nothing.
IN_ANY: Table = {
    "included here": ("mined", HERE),
    "included elsewhere": ("mined", ELSEWHERE),
    "included without a status": ("mined", HERE),
    "reverted here": ("mined_reverted", HERE),
    "reverted elsewhere": ("mined_reverted", ELSEWHERE),
    "overtaken here": ("superseded", HERE),
    "overtaken elsewhere": ("superseded", ELSEWHERE),
    "reported confirmed": ("confirmed", None),
    "reported reversed": ("reversed", None),
}
IN_NO_BLOCK = IN_ANY | {
    "seen": ("pending", None),
    "absent": ("missing", None),
    "late": ("expired", None),
    "refused": ("invalid", None),
    "abandoned": ("untracked", None),
}
IN_A_BLOCK = IN_ANY | {"orphaned here": ("pending", None), "abandoned": ("untracked", HERE)}
# Only a reorganisation takes a transaction out of its block, or gives its slot to another one.
OVERTAKEN = ("overtaken here", "overtaken elsewhere")
# A receipt without a status does not replace the status of another receipt.
MINED = _without(
    IN_A_BLOCK,
    "included elsewhere",
    "reverted elsewhere",
    "included without a status",
    *OVERTAKEN,
)
SUPERSEDED = _without(IN_A_BLOCK, *OVERTAKEN)
# A final state decided by a block is undone with the block; a bank can reverse a payment.
ENDED: Table = {"orphaned here": ("pending", None)}
TABLE: dict[State, Table] = {
    "registered": IN_NO_BLOCK,
    "pending": _without(IN_NO_BLOCK, "seen"),
    "missing": _without(IN_NO_BLOCK, "absent")
    | {"vanished": ("dropped", None), "vanished with its nonce used": ("dropped", None)},
    # It has ended: it can come back to life, and does not end a second time.
    "dropped": _without(IN_NO_BLOCK, "absent", "late", "refused"),
    "mined": _without(MINED, "included here") | {"buried here": ("confirmed", HERE)},
    "mined_reverted": _without(MINED, "reverted here") | {"buried here": ("failed", HERE)},
    "superseded": SUPERSEDED | {"buried here": ("replaced", HERE)},
    "confirmed": ENDED | {"reported reversed": ("reversed", None)},
    "failed": ENDED,
    "replaced": ENDED,
    "expired": {},
    "invalid": {},
    "untracked": {},
    "reversed": {},
}


def in_state(state: State) -> Tracked:
    """Return a transaction in ``state``, decided by block ``HERE`` if a block decides it."""
    tracked = Tracked("tx", required=3, deadline=NOW - 10)
    if state == "registered":
        return tracked
    tracked = replace(tracked, state=state, version=4, slots=("alice:7",), content="pay bob 5")
    if state == "pending":
        return replace(tracked, waiting_since=NOW - 100)
    if state in ("missing", "dropped"):
        return replace(tracked, missing_since=Sighting(12, NOW - 80))
    if state in ("superseded", "replaced"):
        return replace(tracked, anchor=HERE, superseded_by="other", reason="replaced")
    if state in (*ANCHORED, *ENDS.values()):
        good = state in ("mined", "confirmed")
        return replace(tracked, anchor=HERE, outcome=GOOD if good else BAD)
    return replace(tracked, outcome=BAD) if state in ("invalid", "reversed") else tracked


@pytest.mark.parametrize("state", STATES)
def test_each_fact_in_each_state_leads_to_the_state_of_the_table(state: State) -> None:
    for fact in FACTS:
        before = in_state(state)
        expected = TABLE[state].get(fact)

        after, event = transition(before, FACTS[fact], POLICY)

        if expected is None:
            assert (after, event) == (before, None), fact
            continue
        assert (after.state, after.anchor) == expected, fact
        assert after.version == before.version + 1, fact
        assert event is not None, fact
        assert (event.previous, event.tracked, event.id) == (state, after, f"tx:{after.version}")


@pytest.mark.parametrize("state", STATES)
def test_repeated_fact_changes_nothing(state: State) -> None:
    for fact in FACTS:
        after, _ = transition(in_state(state), FACTS[fact], POLICY)

        assert transition(after, FACTS[fact], POLICY) == (after, None), fact


@pytest.mark.parametrize("state", STATES)
def test_fields_of_a_block_are_set_only_while_a_block_decides_the_state(state: State) -> None:
    for fact in FACTS:
        after, event = transition(in_state(state), FACTS[fact], POLICY)

        if event is None or fact.startswith("reported") or after.state == "untracked":
            continue
        placed = after.state in (*ANCHORED, *ENDS.values())
        assert (after.anchor is not None) == placed, fact
        overtaken = after.state in ("superseded", "replaced")
        assert (after.superseded_by is not None) == overtaken, fact
        used = fact == "vanished with its nonce used" and after.state == "dropped"
        assert (after.reason is not None) == (overtaken or used), fact
        unknown = "status_unknown" in after.flags
        assert unknown == (fact == "included without a status")
        has_outcome = (placed and not overtaken and not unknown) or after.state == "invalid"
        assert (after.outcome is not None) == has_outcome, fact
        assert (after.missing_since is not None) == (after.state in ("missing", "dropped")), fact
        assert (after.waiting_since is not None) == (after.state == "pending"), fact


@pytest.mark.parametrize("state", STATES)
def test_properties_match_the_state(state: State) -> None:
    tracked = in_state(state)

    assert tracked.final == (state in TERMINAL)
    assert tracked.ended == (state in TERMINAL or state == "dropped")
    assert tracked.unplaced == (state in UNPLACED)


@pytest.mark.parametrize("state", ["confirmed", "failed", "replaced"])
def test_reorganised_final_state_is_a_finality_violation(state: State) -> None:
    after, _ = transition(in_state(state), Orphaned(HERE, NOW))
    again, _ = transition(after, Included(PAYMENT, ELSEWHERE, GOOD))

    assert after.flags == again.flags == {"finality_violation"}


@pytest.mark.parametrize(
    ("seen", "flags"),
    [
        (Seen(PAYMENT, NOW + 500), {"stuck"}),
        (Seen(PAYMENT, NOW + 499), set()),
        (Seen(CHEAP, NOW, base_fee=101), {"underpriced"}),
        (Seen(CHEAP, NOW, base_fee=100), set()),
        (Seen(PAYMENT, NOW, base_fee=101), set()),
        (Seen(PAYMENT, NOW, gap=True), {"nonce_gap"}),
        (Seen(CHEAP, NOW + 900, base_fee=101, gap=True), {"stuck", "underpriced", "nonce_gap"}),
    ],
)
def test_flags_of_a_pending_transaction(seen: Seen, flags: set[str]) -> None:
    after, _ = transition(in_state("pending"), seen, POLICY)

    assert after.flags == flags


@pytest.mark.parametrize("fact", ["included here", "overtaken here", "absent", "abandoned", "late"])
def test_flags_of_a_pending_transaction_are_cleared_when_it_is_not_pending(fact: str) -> None:
    waiting = replace(in_state("pending"), flags=frozenset(("stuck", "finality_violation")))

    after, _ = transition(waiting, FACTS[fact], POLICY)

    assert after.flags == {"finality_violation"}


@pytest.mark.parametrize("required", ["safe", "finalized"])
def test_required_tag_makes_a_state_final_and_depth_does_not(required: Tag) -> None:
    mined = replace(in_state("mined"), required=required)

    deep, none = transition(mined, Buried(HERE, 1_000_000))
    tagged, _ = transition(mined, Buried(HERE, 1, frozenset((required,))))

    assert (deep, none) == (mined, None)
    assert tagged.state == "confirmed"


def test_transaction_without_a_status_is_not_final_at_any_depth() -> None:
    unknown, _ = transition(in_state("pending"), Included(PAYMENT, HERE, None))

    after, event = transition(unknown, Buried(HERE, 1_000_000, frozenset(("safe", "finalized"))))

    assert (unknown.state, unknown.flags, unknown.outcome) == ("mined", {"status_unknown"}, None)
    assert (after, event) == (unknown, None)


@pytest.mark.parametrize(("outcome", "end"), [(GOOD, "confirmed"), (BAD, "failed")])
def test_status_found_later_makes_it_final(outcome: Outcome, end: State) -> None:
    unknown, _ = transition(in_state("pending"), Included(PAYMENT, HERE, None))

    known, _ = transition(unknown, Included(PAYMENT, HERE, outcome))
    ended, _ = transition(known, Buried(HERE, 3))

    assert (known.flags, known.outcome) == (frozenset(), outcome)
    assert ended.state == end


def test_reorganisation_clears_the_unknown_status() -> None:
    unknown, _ = transition(in_state("pending"), Included(PAYMENT, HERE, None))

    after, _ = transition(unknown, Orphaned(HERE, NOW))

    assert (after.state, after.flags) == ("pending", frozenset())


@pytest.mark.parametrize("state", ["mined", "mined_reverted"])
def test_mined_transaction_moves_to_another_block_only_by_a_reorganisation(state: State) -> None:
    waiting, _ = transition(in_state(state), Orphaned(HERE, NOW))

    moved, _ = transition(waiting, Included(PAYMENT, ELSEWHERE, GOOD))
    overtaken, _ = transition(waiting, Overtaken(OTHER, ELSEWHERE))

    assert (moved.state, moved.anchor) == ("mined", ELSEWHERE)
    assert (overtaken.state, overtaken.anchor) == ("superseded", ELSEWHERE)


def test_second_inclusion_does_not_restart_the_confirmations() -> None:
    mined = in_state("mined")

    listed_twice, _ = transition(mined, Included(PAYMENT, ELSEWHERE, GOOD))
    after, _ = transition(listed_twice, Buried(HERE, 3))

    assert (after.state, after.anchor) == ("confirmed", HERE)


@pytest.mark.parametrize("reason", [None, "nonce-used", "conflicted"])
def test_dropped_transaction_has_a_reason_if_its_nonce_was_used(reason: Reason | None) -> None:
    after, _ = transition(in_state("missing"), Vanished(20, NOW, reason), POLICY)

    assert (after.state, after.reason) == ("dropped", reason)


@pytest.mark.parametrize("fact", ["seen", "included here", "orphaned here"])
def test_reason_of_a_dropped_transaction_is_cleared_when_it_is_seen_again(fact: str) -> None:
    dropped = replace(in_state("dropped"), reason="nonce-used")

    after, _ = transition(dropped, FACTS[fact])

    assert after.reason == ("nonce-used" if after.state == "dropped" else None)


def test_transaction_without_a_deadline_does_not_expire() -> None:
    patient = replace(in_state("missing"), deadline=None)

    assert transition(patient, Late(NOW * 1000)) == (patient, None)


def test_untracked_transaction_can_be_registered_again() -> None:
    event = reregistered(in_state("untracked"), Registration("tx", "safe", NOW))

    assert (event.previous, event.tracked.state) == ("untracked", "registered")
    assert (event.tracked.required, event.tracked.deadline) == ("safe", NOW)
    assert event.tracked.version == 5


@pytest.mark.parametrize(
    ("winner", "reason"), [(FASTER, "repriced"), (NOTHING, "cancelled"), (OTHER, "replaced")]
)
def test_winner_of_the_slot_determines_the_reason(winner: Transaction, reason: str) -> None:
    after, _ = transition(in_state("pending"), Overtaken(winner, HERE))

    assert (after.superseded_by, after.reason) == (winner.id, reason)


def test_repriced_cancellation_is_repriced() -> None:
    cancellation = replace(in_state("pending"), content=NOTHING.content)

    after, _ = transition(cancellation, Overtaken(NOTHING, HERE))

    assert after.reason == "repriced"


def test_rival_of_unknown_content_is_not_repriced() -> None:
    after, _ = transition(in_state("registered"), Overtaken(FASTER, HERE))

    assert after.reason == "replaced"


def test_first_sighting_sets_slot_and_content() -> None:
    after, _ = transition(in_state("registered"), Seen(PAYMENT, NOW))

    assert (after.slots, after.content) == (("alice:7",), "pay bob 5")


def test_one_confirmation_is_enough_if_one_is_required() -> None:
    mined = replace(in_state("mined"), required=1)

    after, _ = transition(mined, Buried(HERE, 1))

    assert after.state == "confirmed"


@pytest.mark.parametrize(("required", "after"), [(3, 100), (200, 200), ("safe", "safe")])
def test_transaction_can_need_more_confirmations_than_required(
    required: Required, after: Required
) -> None:
    reward = replace(PAYMENT, slots=(), min_confirmations=100)
    pending = replace(in_state("pending"), required=required)

    mined, event = transition(pending, Included(reward, HERE, GOOD))
    early, _ = transition(mined, Buried(HERE, 99))
    late, _ = transition(mined, Buried(HERE, 200, frozenset(("safe",))))

    assert (mined.required, early.state, late.state) == (after, "mined", "confirmed")
    # For a change that is stored between this decision and its storing.
    assert event is not None
    assert event.min_confirmations == 100


def test_due_height_has_the_required_confirmations() -> None:
    assert in_state("mined").due == HERE.number + 2
    assert in_state("pending").due is None
    assert in_state("confirmed").due is None
