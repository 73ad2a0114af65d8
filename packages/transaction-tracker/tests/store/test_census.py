"""Counts that follow each change are equal to counting all rows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from transaction_tracker.domain import STATES, TERMINAL, Event, State, Tracked
from transaction_tracker.store import OpenTransactions, Stored

steps = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(STATES), st.booleans()))


@given(steps)
def test_counts_follow_each_change(moves: list[tuple[str, State, bool]]) -> None:
    open_transactions, model = OpenTransactions(), dict[str, Tracked]()
    for key, state, parked in moves:
        before = model.get(key)
        error = "boom" if parked and state not in TERMINAL else None
        if before is None:
            after = Tracked(key, required=1, error=error)
            events: tuple[Event, ...] = ()
        else:
            after = replace(before, state=state, version=before.version + 1, error=error)
            events = (Event(before.state, after),)
        model[key] = after
        open_transactions.take(Stored((after,), events))

    assert open_transactions.census.by_state == dict(
        Counter(transaction.state for transaction in model.values())
    )
    parked = {key for key, transaction in model.items() if transaction.error is not None}
    assert open_transactions.census.parked == len(parked)
    assert open_transactions.census.parked_errors(9) == dict.fromkeys(parked, "boom")
    assert len(open_transactions.census.parked_errors(1)) == min(1, len(parked))


def test_finished_transactions_are_counted_until_they_are_removed() -> None:
    open_transactions = OpenTransactions()
    open_transactions.census.add_final({"confirmed": 5, "failed": 1})
    open_transactions.census.add_final({"confirmed": -2, "failed": -1})

    assert open_transactions.census.by_state == {"confirmed": 3}
