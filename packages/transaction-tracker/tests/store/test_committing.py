"""One step: all changes of a block are written, or none."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from transaction_tracker.domain import FLAGS, STATES, BlockRef, Event, Outcome, Sighting, Tracked
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
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
def test_each_field_is_loaded_as_stored(run: Run, state: Any) -> None:
    register(run, "tx")
    full = Tracked(
        "tx",
        required="finalized",
        state=state,
        version=1,
        slots=("slot",),
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


def test_outcome_without_a_fee_is_loaded_as_stored(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked())
    without = replace(event.tracked, outcome=Outcome(succeeded=True, fee=None))

    commit(run, events=(Event("registered", without),))

    assert run(reading.load, "tx") == without


def test_transactions_of_one_block_share_its_reference_in_memory(run: Run) -> None:
    register(run, "a", "b")
    commit(run, events=(mined(tracked("a")), mined(tracked("b"))), applied=TEN)

    first, second = open_ones(run)

    assert first.anchor is second.anchor


def test_step_writes_transitions_events_block_and_cursor(run: Run) -> None:
    register(run, "tx")

    stored = commit(run, events=(mined(tracked()),), applied=TEN)

    assert stored.tip == TEN.ref
    assert run(reading.load, "tx").state == "mined"
    assert run(reading.load_events, "tx") == [(1, "mined")]
    assert run(chain.load_links, SOURCE) == [TEN]
    assert run(chain.claim, SOURCE).tip == TEN.ref


def test_event_is_stored_with_all_fields(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked(flags=frozenset(("stuck",))), fee=2**200)

    commit(run, events=(event, confirmed(event.tracked)))

    first, second = run(feed.entries, after=0, limit=9)
    assert first.event == event
    assert second.event == confirmed(event.tracked)


def test_events_have_consecutive_positions(run: Run) -> None:
    register(run, "a", "b", "c")

    first = commit(run, events=(seen(tracked("a")), seen(tracked("b"))))
    second = commit(run, events=(seen(tracked("c")),))

    assert (first.position, second.position) == (1, 3)
    assert [entry.position for entry in run(feed.entries, after=0, limit=9)] == [1, 2, 3]


def test_deliveries_are_stored_with_their_events(run: Run) -> None:
    endpoint = run(endpoints.add, "https://example.org", WebhookSecret.generate(), None)
    register(run, "tx")

    commit(run, events=(seen(tracked()),))

    assert [delivery.position for delivery in run(outbox.due, endpoint.id, limit=9).deliveries] == [
        1
    ]


def test_step_can_hold_two_transitions_of_one_transaction(run: Run) -> None:
    register(run, "tx")
    first = mined(tracked())

    stored = commit(run, events=(first, confirmed(first.tracked)), applied=TEN)

    assert [row.state for row in stored.rows] == ["confirmed"]
    assert run(reading.load, "tx") == confirmed(first.tracked).tracked
    assert run(reading.load_events, "tx") == [(1, "mined"), (2, "confirmed")]


def test_final_transaction_is_not_open(run: Run) -> None:
    register(run, "tx", "other")
    first = mined(tracked())

    commit(run, events=(first, confirmed(first.tracked)))

    assert [row.id for row in open_ones(run)] == ["other"]


def test_dropped_transaction_is_open(run: Run) -> None:
    register(run, "tx")
    dropped = tracked(state="dropped", version=1)

    commit(run, events=(Event("missing", dropped),))

    assert open_ones(run) == [dropped]


def test_final_transactions_are_found_by_their_block(run: Run) -> None:
    register(run, "a", "b", "c")
    ends = [mined(tracked("a")), mined(tracked("b"), link=dataclasses.replace(TEN, hash="other"))]
    ends += [confirmed(event.tracked) for event in ends] + [mined(tracked("c"))]
    commit(run, events=tuple(ends))

    assert [transaction.id for transaction in run(reading.load_anchored, "ten")] == ["a"]
    assert run(reading.load_anchored, "nine") == []


def test_final_transaction_can_be_reopened(run: Run) -> None:
    register(run, "tx")
    first = mined(tracked())
    last = confirmed(first.tracked)
    commit(run, events=(first, last))
    back = replace(tracked(), state="pending", version=3, flags=frozenset(("finality_violation",)))

    stored = commit(run, events=(Event("confirmed", back),), undone=TEN)

    assert stored.rows == (back,)
    assert open_ones(run) == [back]
    assert run(reading.load_anchored, "ten") == []


def test_transition_from_a_stale_version_is_not_written(run: Run) -> None:
    register(run, "tx", "other")
    first = seen(tracked())
    commit(run, events=(first,))

    stored = commit(run, events=(mined(tracked()), mined(tracked("other"))), applied=TEN)

    assert set(stored.rows) == {first.tracked, mined(tracked("other")).tracked}
    assert [event.tracked.id for event in stored.events] == ["other"]
    assert run(reading.load, "tx") == first.tracked
    assert run(reading.load_events, "tx") == [(1, "pending")]
    assert run(chain.load_links, SOURCE) == [TEN]


def test_only_the_stale_one_of_many_transitions_is_not_written(run: Run) -> None:
    """More than one statement of PostgreSQL takes."""
    many = [f"tx {number:04}" for number in range(1_002)]
    register(run, *many)
    events = [seen(tracked(key)) for key in many]
    commit(run, events=events[-1:])

    stored = commit(run, events=tuple(events))

    assert [event.tracked.id for event in stored.events] == many[:-1]
    assert {each.id: each.state for each in open_ones(run)} == dict.fromkeys(many, "pending")
    assert len(run(feed.entries, after=0, limit=2_000)) == len(many)


def test_transition_after_a_stale_one_is_not_written(run: Run) -> None:
    register(run, "tx")
    commit(run, events=(seen(tracked()),))
    stale = mined(tracked())

    stored = commit(run, events=(stale, confirmed(stale.tracked)))

    assert (stored.events, stored.position) == ((), 0)
    assert run(reading.load, "tx").state == "pending"


def test_transition_of_an_unregistered_transaction_is_not_written(run: Run) -> None:
    stored = commit(run, events=(seen(tracked()),))

    assert (stored.rows, stored.events) == ((), ())


def test_same_event_is_not_stored_twice(run: Run) -> None:
    register(run, "tx")
    event = mined(tracked())
    commit(run, events=(event,))

    assert commit(run, events=(event,)).events == ()
    assert run(lambda connection: connection.scalar(select(func.count()).select_from(events))) == 1


def test_failed_step_writes_nothing(run: Run) -> None:
    register(run, "tx")
    commit(run, applied=TEN)

    with pytest.raises(DatabaseFailedError, match=r"(?i)unique"):
        commit(run, events=(mined(tracked()),), applied=TEN)

    assert run(reading.load, "tx") == tracked()
    assert run(reading.load_events, "tx") == []


def test_transition_keeps_the_error_of_a_parked_transaction(run: Run) -> None:
    register(run, "tx")
    run(registering.park, "tx", "ValueError: odd")

    commit(run, events=(mined(tracked(error="ValueError: odd")),))

    assert run(reading.load, "tx").error == "ValueError: odd"


def test_revert_reason_is_cleaned_for_the_database(run: Run) -> None:
    register(run, "tx")
    odd = Outcome(succeeded=False, fee=None, error="\0\ud800")

    commit(run, events=(Event("pending", tracked(version=1, outcome=odd)),))

    assert run(reading.load, "tx").outcome.error == "\N{REPLACEMENT CHARACTER}?"


def test_step_can_pause_deliveries(run: Run) -> None:
    run(committing.commit, committing.Step(SOURCE, forgets=True, freezes=True))

    assert run(chain.frozen_since) is not None
