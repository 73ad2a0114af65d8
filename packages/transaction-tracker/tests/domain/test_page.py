"""The documentation page about states agrees with the rules."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from transaction_tracker.domain import (
    ANCHORED,
    ENDED_IN_NO_BLOCK,
    ENDS,
    FLAGS,
    REASONS,
    STATES,
    TERMINAL,
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
    Registration,
    Rejected,
    Reported,
    Seen,
    Sighting,
    State,
    Tracked,
    Transaction,
    Vanished,
    reregistered,
    transition,
)

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "states.md"
POLICY = Policy(drop_blocks=2, drop_seconds=5.0)

OURS, NEXT = BlockRef(10, "0xb"), BlockRef(11, "0xc")
PAYMENT, RIVAL = Transaction("t", ("slot",), "content"), Transaction("w", ("slot",), "content")
PAID, REVERTED = Outcome(True, 1), Outcome(False, 1)
# All facts of a chain, of the deadline and of the user.
FACTS: tuple[Observation, ...] = (
    Seen(PAYMENT, 50.0),
    Included(PAYMENT, NEXT, PAID),
    Included(PAYMENT, NEXT, REVERTED),
    Overtaken(RIVAL, NEXT),
    Orphaned(OURS, 50.0),
    Buried(OURS, 2),
    Absent(20, 50.0),
    Vanished(20, 50.0),
    Late(200.0),
    Rejected("another chain"),
    Abandoned(),
)


def rows(header: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the table with a header."""
    lines = PAGE.read_text().partition(f"| {header} |")[2].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


def first_names(header: str) -> tuple[str, ...]:
    return tuple(names(row[0])[0] for row in rows(header))


def tracked_in(state: State) -> Tracked:
    known = Tracked("t", 2, state=state, slots=("slot",), content="content", deadline=100.0)
    if state in ("missing", "dropped"):
        return replace(known, missing_since=Sighting(1, 1.0))
    placed = state in ANCHORED or state in ENDS.values()
    return replace(known, anchor=OURS, outcome=PAID) if placed else known


def next_states(state: State) -> set[State]:
    """Return the states that any fact leads to from a state."""
    facts = (*FACTS, Reported("reversed")) if state in TERMINAL else FACTS
    found = {transition(tracked_in(state), fact, POLICY)[0].state for fact in facts}
    if state == "untracked" or state in ENDED_IN_NO_BLOCK:
        found.add(reregistered(tracked_in(state), Registration("t", 2)).tracked.state)
    return found - {state}


def test_page_lists_all_states_in_order() -> None:
    assert first_names("State | End | Entered when | Becomes") == STATES


def test_page_lists_all_flags_and_reasons() -> None:
    assert first_names("Flag | Raised when") == FLAGS
    assert first_names("Reason | Meaning") == REASONS


def test_page_marks_the_final_states() -> None:
    ends = {names(row[0])[0]: row[1] for row in rows("State | End | Entered when | Becomes")}

    assert {state for state, end in ends.items() if end == "yes"} == TERMINAL
    assert [state for state, end in ends.items() if end == "soft"] == ["dropped"]


def test_page_lists_the_transitions_of_the_rules() -> None:
    documented = {
        row[0].strip("`"): set(names(row[3]))
        for row in rows("State | End | Entered when | Becomes")
    }

    assert documented == {state: next_states(state) for state in STATES}
