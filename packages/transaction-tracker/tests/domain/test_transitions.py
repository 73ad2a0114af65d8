"""Every state with every fact: what comes of it stands in one table."""

from dataclasses import replace

import pytest

from transaction_tracker.domain import (
    ANCHORED,
    ENDS,
    STATES,
    TERMINAL,
    BlockRef,
    Buried,
    Included,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Seen,
    State,
    Tracked,
    Transaction,
    transition,
)

HERE = BlockRef(10, "ten")
ELSEWHERE = BlockRef(11, "eleven")
PAYMENT = Transaction("tx", slot="alice:7", content="pay bob 5")
FASTER = Transaction("faster", slot="alice:7", content="pay bob 5")
NOTHING = Transaction("nothing", slot="alice:7", content="pay alice 0", cancels=True)
OTHER = Transaction("other", slot="alice:7", content="pay carol 9")
GOOD = Outcome(succeeded=True, fee=21)
BAD = Outcome(succeeded=False, fee=30, error="no money")

FACTS: dict[str, Observation] = {
    "seen": Seen(PAYMENT),
    "included here": Included(PAYMENT, HERE, GOOD),
    "included elsewhere": Included(PAYMENT, ELSEWHERE, GOOD),
    "reverted here": Included(PAYMENT, HERE, BAD),
    "reverted elsewhere": Included(PAYMENT, ELSEWHERE, BAD),
    "overtaken here": Overtaken(OTHER, HERE),
    "overtaken elsewhere": Overtaken(OTHER, ELSEWHERE),
    "orphaned here": Orphaned(HERE),
    "orphaned elsewhere": Orphaned(ELSEWHERE),
    "buried here": Buried(HERE, 3),
    "buried elsewhere": Buried(ELSEWHERE, 3),
    "shallow here": Buried(HERE, 2),
}

# What each state becomes; a fact that is missing changes nothing.
IN_NO_BLOCK: dict[str, tuple[State, BlockRef | None]] = {
    "included here": ("mined", HERE),
    "included elsewhere": ("mined", ELSEWHERE),
    "reverted here": ("mined_reverted", HERE),
    "reverted elsewhere": ("mined_reverted", ELSEWHERE),
    "overtaken here": ("superseded", HERE),
    "overtaken elsewhere": ("superseded", ELSEWHERE),
}
IN_A_BLOCK = IN_NO_BLOCK | {"orphaned here": ("pending", None)}
TABLE: dict[State, dict[str, tuple[State, BlockRef | None]]] = {
    "registered": IN_NO_BLOCK | {"seen": ("pending", None)},
    "pending": IN_NO_BLOCK,
    "mined": IN_A_BLOCK | {"buried here": ("confirmed", HERE)},
    "mined_reverted": IN_A_BLOCK | {"buried here": ("failed", HERE)},
    "superseded": IN_A_BLOCK | {"buried here": ("replaced", HERE)},
    "confirmed": {},
    "failed": {},
    "replaced": {},
}
# The same state in the same block again is no news.
REPEATED = {
    "mined": "included here",
    "mined_reverted": "reverted here",
    "superseded": "overtaken here",
}


def in_state(state: State) -> Tracked:
    """A transaction that came into ``state`` by block ``HERE``, where it takes one."""
    tracked = Tracked("tx", required=3)
    if state == "registered":
        return tracked
    tracked = replace(tracked, state=state, version=4, slot="alice:7", content="pay bob 5")
    if state == "pending":
        return tracked
    if state in ("superseded", "replaced"):
        return replace(tracked, anchor=HERE, superseded_by="other", reason="replaced")
    good = state in ("mined", "confirmed")
    return replace(tracked, anchor=HERE, outcome=GOOD if good else BAD)


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_every_fact_in_every_state(state: State, fact: str) -> None:
    before = in_state(state)
    expected = None if REPEATED.get(state) == fact else TABLE[state].get(fact)

    after, event = transition(before, FACTS[fact])

    if expected is None:
        assert (after, event) == (before, None)
        return
    assert (after.state, after.anchor) == expected
    assert after.version == before.version + 1
    assert event is not None
    assert (event.previous, event.tracked, event.id) == (state, after, f"tx:{after.version}")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_that_comes_twice_counts_once(state: State, fact: str) -> None:
    after, _ = transition(in_state(state), FACTS[fact])

    assert transition(after, FACTS[fact]) == (after, None)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fact", FACTS)
def test_what_belongs_to_a_block_is_known_only_while_a_block_decides(
    state: State, fact: str
) -> None:
    after, _ = transition(in_state(state), FACTS[fact])

    placed = after.state in ANCHORED | TERMINAL
    assert (after.anchor is not None) == placed
    overtaken = after.state in ("superseded", "replaced")
    assert (after.superseded_by is not None) == (after.reason is not None) == overtaken
    assert (after.outcome is not None) == (placed and not overtaken)
    assert after.final == (after.state in TERMINAL)


@pytest.mark.parametrize(
    ("winner", "reason"), [(FASTER, "repriced"), (NOTHING, "cancelled"), (OTHER, "replaced")]
)
def test_what_took_the_slot_says_why(winner: Transaction, reason: str) -> None:
    after, _ = transition(in_state("pending"), Overtaken(winner, HERE))

    assert (after.superseded_by, after.reason) == (winner.id, reason)


def test_a_cancellation_that_is_repriced_is_repriced() -> None:
    cancellation = replace(in_state("pending"), content=NOTHING.content)

    after, _ = transition(cancellation, Overtaken(NOTHING, HERE))

    assert after.reason == "repriced"


def test_a_rival_is_never_repriced_while_the_content_is_unknown() -> None:
    after, _ = transition(in_state("registered"), Overtaken(FASTER, HERE))

    assert after.reason == "replaced"


def test_the_first_sight_tells_slot_and_content() -> None:
    after, _ = transition(in_state("registered"), Seen(PAYMENT))

    assert (after.slot, after.content) == ("alice:7", "pay bob 5")


def test_one_confirmation_is_enough_where_one_is_required() -> None:
    mined = replace(in_state("mined"), required=1)

    after, _ = transition(mined, Buried(HERE, 1))

    assert after.state == "confirmed"


def test_it_is_due_when_its_block_has_the_required_confirmations() -> None:
    assert in_state("mined").due == HERE.number + 2
    assert in_state("pending").due is None
    assert in_state("confirmed").due is None


def test_every_state_that_a_block_decides_has_its_end() -> None:
    assert set(STATES) - {"registered", "pending"} == set(ENDS) | set(ENDS.values())
