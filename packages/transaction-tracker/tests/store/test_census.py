"""Counting as things change comes to the same as reading everything."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import STATES, TERMINAL, Event, State, Tracked
from transaction_tracker.store import Book, Stored

steps = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(STATES), st.booleans()))


@given(steps)
def test_the_book_knows_how_many_there_are(moves: list[tuple[str, State, bool]]) -> None:
    book, model = Book(), dict[str, Tracked]()
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
        book.take(Stored((after,), events))

    assert book.census.by_state == dict(Counter(one.state for one in model.values()))
    assert book.census.parked == sum(one.error is not None for one in model.values())


def test_those_that_ended_long_ago_count_until_they_are_removed() -> None:
    book = Book()
    book.census.ended({"confirmed": 5, "failed": 1})
    book.census.ended({"confirmed": -2, "failed": -1})

    assert book.census.by_state == {"confirmed": 3}
