"""Details of a transaction, and which of them contradict each other."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    BlockRef,
    Buried,
    Details,
    Event,
    Execution,
    Included,
    Orphaned,
    Outcome,
    Payment,
    Seen,
    Tracked,
    Transaction,
    Transfer,
    transition,
)

TEN = BlockRef(10, "ten")
TRANSFER = Transfer(0, "erc20", "token", "alice", "bob", value=5)
EXECUTION = Execution(21_000, 1_700_000_000, None, (TRANSFER,))
PAYMENT = Payment("alice", "bob", 5, 7)
TRANSACTION = Transaction("tx", ("alice:7",), "pay bob 5", payment=PAYMENT)
OUTCOME = Outcome(True, 42, None, "total", 21_000, EXECUTION.effects, EXECUTION)
REGISTERED = Tracked("tx", required=3)


def told(tracked: Tracked, *facts: object) -> list[Event]:
    """Return the events that follow from facts."""
    events = []
    for fact in facts:
        tracked, event = transition(tracked, fact)  # type: ignore[arg-type]
        if event is not None:
            events.append(event)
    return events


def test_events_show_the_details_of_their_facts_alone() -> None:
    events = told(
        REGISTERED,
        Seen(TRANSACTION, 1.0),
        Included(TRANSACTION, TEN, OUTCOME),
        Buried(TEN, 3),
    )

    assert [event.details for event in events] == [
        Details(PAYMENT),
        Details(PAYMENT, EXECUTION),
        Details(),
    ]


def test_text_of_a_fact_has_no_transfers() -> None:
    """A report of a crash must not be as long as the largest transaction."""
    shown = repr(Included(TRANSACTION, TEN, OUTCOME))

    assert "Execution" not in shown
    assert "Payment" not in shown
    assert "fee=42" in shown


def test_outcome_without_its_execution_has_all_other_fields() -> None:
    full = Outcome(False, 42, "no", "execution", 21_000, "digest", EXECUTION)
    defaults = Outcome(True, None)
    names = [name for name in Outcome.__struct_fields__ if name != "execution"]

    kept = full.without_execution()

    assert kept.execution is None
    assert all(getattr(full, name) != getattr(defaults, name) for name in names)
    assert all(getattr(kept, name) == getattr(full, name) for name in names)


def test_state_of_a_transaction_has_no_transfers() -> None:
    """A million open transactions must not keep theirs in memory."""
    (mined,) = told(REGISTERED, Included(TRANSACTION, TEN, OUTCOME))

    assert mined.tracked.outcome == OUTCOME
    assert mined.tracked.outcome is not None
    assert mined.tracked.outcome.execution is None


def test_repeated_inclusion_makes_one_event() -> None:
    fact = Included(TRANSACTION, TEN, OUTCOME)

    assert len(told(REGISTERED, fact, fact)) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(OUTCOME, gas_used=21_001),
        replace(OUTCOME, fee=43),
        replace(OUTCOME, effects="other"),
    ],
    ids=["gas", "fee", "transfers"],
)
def test_corrected_facts_of_the_same_block_are_an_event(other: Outcome) -> None:
    events = told(
        REGISTERED, Included(TRANSACTION, TEN, OUTCOME), Included(TRANSACTION, TEN, other)
    )

    assert [event.tracked.state for event in events] == ["mined", "mined"]
    assert events[-1].tracked.outcome == other


def test_orphaned_transaction_has_no_outcome() -> None:
    events = told(REGISTERED, Included(TRANSACTION, TEN, OUTCOME), Orphaned(TEN, 1.0))

    assert events[-1].tracked.outcome is None
    assert events[-1].details == Details()


@pytest.mark.parametrize(
    "other",
    [
        replace(EXECUTION, transfers=()),
        replace(EXECUTION, transfers=(TRANSFER, TRANSFER)),
        replace(EXECUTION, transfers=(replace(TRANSFER, value=6),)),
        replace(EXECUTION, transfers=(replace(TRANSFER, recipient="carol"),)),
        replace(EXECUTION, transfers=(replace(TRANSFER, token="other"),)),
        replace(EXECUTION, contract_address="contract"),
        replace(EXECUTION, malformed_logs=1),
    ],
)
def test_other_effects_have_another_digest(other: Execution) -> None:
    assert other.effects != EXECUTION.effects


def test_digest_of_effects_ignores_gas_and_time() -> None:
    """The gas is compared itself, and the time is the block's."""
    assert replace(EXECUTION, gas_used=None, block_time=None).effects == EXECUTION.effects


def test_unreadable_logs_have_no_digest() -> None:
    assert replace(EXECUTION, transfers=None).effects is None


@pytest.mark.parametrize(
    ("other", "conflicts"),
    [
        (OUTCOME, ()),
        (replace(OUTCOME, succeeded=False), ("status",)),
        (replace(OUTCOME, gas_used=1, fee=2), ("gas used", "fee")),
        (replace(OUTCOME, effects="other"), ("token transfers",)),
        (replace(OUTCOME, gas_used=None, fee=None, effects=None), ()),
        (replace(OUTCOME, fee=1, fee_scope="execution"), ()),
        (replace(OUTCOME, error="why"), ()),
    ],
)
def test_only_facts_that_both_outcomes_have_conflict(
    other: Outcome, conflicts: tuple[str, ...]
) -> None:
    assert OUTCOME.conflicts(other) == conflicts
    assert other.conflicts(OUTCOME) == conflicts
