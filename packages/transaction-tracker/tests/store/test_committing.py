"""One step: all that a block changes is written, or nothing."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from transaction_tracker.domain import FLAGS, STATES, BlockRef, Event, Outcome, Sighting, Tracked
from transaction_tracker.store import (
    DatabaseFailedError,
    chain,
    committing,
    endpoints,
    feed,
    outbox,
    reading,
    registering,
)
from transaction_tracker.store.endpoints import Secret
from transaction_tracker.store.schema import events

from .support import (
    SOURCE,
    TEN,
    Run,
    commit,
    confirmed,
    mined,
    open_ones,
    register,
    seen,
    tracked,
)


@pytest.mark.parametrize("state", STATES)
def test_every_field_comes_back_as_it_was(run: Run, state: Any) -> None:
    register(run, "tx")
    full = Tracked(
        "tx",
        required="finalized",
        state=state,
        version=1,
        slot="slot",
        content="content",
        anchor=BlockRef(10, "ten"),
        outcome=Outcome(succeeded=False, fee=2**512, error="no money"),
        superseded_by="other",
        reason="repriced",
        deadline=1.5,
        waiting_since=2.5,
        missing_since=Sighting(2**40, 3.5),
        max_fee=2**256,
        flags=frozenset(FLAGS),
    )

    commit(run, events=(Event("registered", full),))

    assert run(reading.load, "tx") == full


def test_an_outcome_may_have_no_fee(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked())
    without = replace(event.tracked, outcome=Outcome(succeeded=True, fee=None))

    commit(run, events=(Event("registered", without),))

    assert run(reading.load, "tx") == without


def test_transactions_of_one_block_share_its_name_in_memory(run: Run) -> None:
    register(run, "a", "b")
    commit(run, events=(mined(tracked("a")), mined(tracked("b"))), applied=TEN)

    first, second = open_ones(run)

    assert first.anchor is second.anchor


def test_one_step_writes_transitions_events_block_and_cursor(run: Run) -> None:
    register(run, "tx")

    stored = commit(run, events=(mined(tracked()),), applied=TEN)

    assert stored.tip == TEN.ref
    assert run(reading.load, "tx").state == "mined"
    assert run(reading.load_events, "tx") == [(1, "mined")]
    assert run(chain.load_links, SOURCE) == [TEN]
    assert run(chain.claim, SOURCE).tip == TEN.ref


def test_an_event_is_recorded_with_all_that_was_known_then(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked(flags=frozenset(("stuck",))), fee=2**200)

    commit(run, events=(event, confirmed(event.tracked)))

    first, second = run(feed.entries, after=0, limit=9)
    assert first.event == event
    assert second.event == confirmed(event.tracked)


def test_events_have_places_that_follow_one_another(run: Run) -> None:
    register(run, "a", "b", "c")

    first = commit(run, events=(seen(tracked("a")), seen(tracked("b"))))
    second = commit(run, events=(seen(tracked("c")),))

    assert (first.position, second.position) == (1, 3)
    assert [one.position for one in run(feed.entries, after=0, limit=9)] == [1, 2, 3]


def test_endpoints_hear_of_events_in_the_same_transaction(run: Run) -> None:
    endpoint = run(endpoints.add, "https://example.org", Secret.generate(), None)
    register(run, "tx")

    commit(run, events=(seen(tracked()),))

    assert [one.position for one in run(outbox.due, endpoint.id, limit=9).deliveries] == [1]


def test_two_transitions_of_one_transaction_fit_in_one_step(run: Run) -> None:
    register(run, "tx")
    first = mined(tracked())

    stored = commit(run, events=(first, confirmed(first.tracked)), applied=TEN)

    assert [row.state for row in stored.rows] == ["confirmed"]
    assert run(reading.load, "tx") == confirmed(first.tracked).tracked
    assert run(reading.load_events, "tx") == [(1, "mined"), (2, "confirmed")]


def test_an_ended_transaction_is_not_open_any_more(run: Run) -> None:
    register(run, "tx", "other")
    first = mined(tracked())

    commit(run, events=(first, confirmed(first.tracked)))

    assert [row.id for row in open_ones(run)] == ["other"]


def test_a_dropped_transaction_is_still_open(run: Run) -> None:
    register(run, "tx")
    dropped = tracked(state="dropped", version=1)

    commit(run, events=(Event("missing", dropped),))

    assert open_ones(run) == [dropped]


def test_those_that_a_block_decided_for_good_are_found_by_it(run: Run) -> None:
    register(run, "a", "b", "c")
    ends = [mined(tracked("a")), mined(tracked("b"), link=replace(TEN, hash="other"))]
    ends += [confirmed(event.tracked) for event in ends] + [mined(tracked("c"))]
    commit(run, events=tuple(ends))

    assert [one.id for one in run(reading.load_anchored, "ten")] == ["a"]
    assert run(reading.load_anchored, "nine") == []


def test_an_end_can_be_taken_back(run: Run) -> None:
    register(run, "tx")
    first = mined(tracked())
    last = confirmed(first.tracked)
    commit(run, events=(first, last))
    back = replace(tracked(), state="pending", version=3, flags=frozenset(("finality_violation",)))

    stored = commit(run, events=(Event("confirmed", back),), undone=TEN)

    assert stored.rows == (back,)
    assert open_ones(run) == [back]
    assert run(reading.load_anchored, "ten") == []


def test_a_transition_from_a_state_that_is_not_there_is_not_written(run: Run) -> None:
    register(run, "tx", "other")
    first = seen(tracked())
    commit(run, events=(first,))

    stored = commit(run, events=(mined(tracked()), mined(tracked("other"))), applied=TEN)

    assert set(stored.rows) == {first.tracked, mined(tracked("other")).tracked}
    assert [event.tracked.id for event in stored.events] == ["other"]
    assert run(reading.load, "tx") == first.tracked
    assert run(reading.load_events, "tx") == [(1, "pending")]
    assert run(chain.load_links, SOURCE) == [TEN]


def test_what_follows_a_transition_that_is_not_written_is_not_written_either(run: Run) -> None:
    register(run, "tx")
    commit(run, events=(seen(tracked()),))
    stale = mined(tracked())

    stored = commit(run, events=(stale, confirmed(stale.tracked)))

    assert (stored.events, stored.position) == ((), 0)
    assert run(reading.load, "tx").state == "pending"


def test_a_transition_of_a_transaction_that_nobody_registered_is_not_written(run: Run) -> None:
    stored = commit(run, events=(seen(tracked()),))

    assert (stored.rows, stored.events) == ((), ())


def test_the_same_event_is_never_there_twice(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked())
    commit(run, events=(event,))

    assert commit(run, events=(event,)).events == ()
    assert run(lambda connection: connection.scalar(select(func.count()).select_from(events))) == 1


def test_a_step_that_fails_writes_nothing_at_all(run: Run) -> None:
    register(run, "tx")
    commit(run, applied=TEN)

    with pytest.raises(DatabaseFailedError, match=r"(?i)unique"):
        commit(run, events=(mined(tracked()),), applied=TEN)

    assert run(reading.load, "tx") == tracked()
    assert run(reading.load_events, "tx") == []


def test_a_transition_does_not_hide_why_it_was_parked(run: Run) -> None:
    register(run, "tx")
    run(registering.park, "tx", "ValueError: odd")

    commit(run, events=(mined(tracked(error="ValueError: odd")),))

    assert run(reading.load, "tx").error == "ValueError: odd"


def test_a_reason_that_no_database_takes_is_made_fit(run: Run) -> None:
    register(run, "tx")
    odd = Outcome(succeeded=False, fee=None, error="\0\ud800")

    commit(run, events=(Event("pending", tracked(version=1, outcome=odd)),))

    assert run(reading.load, "tx").outcome.error == "\N{REPLACEMENT CHARACTER}?"


def test_a_step_can_freeze_what_is_told(run: Run) -> None:
    run(committing.commit, committing.Step(SOURCE, forgets=True, freezes=True))

    assert run(chain.frozen_since) is not None
