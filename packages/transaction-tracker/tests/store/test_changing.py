"""Changes of a registration, also between the decision about an event and its storing."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    Details,
    EndedError,
    Event,
    Execution,
    Expectation,
    NotTrackedError,
    Payment,
    Registration,
    RegistrationChange,
    Rule,
    Tracked,
    Transfer,
)
from transaction_tracker.store import changing, feed, reading, registering
from transaction_tracker.store.details import MAX_TRANSFERS
from transaction_tracker.store.pages import TransactionRecord, transaction_page

from .support import Run, commit, confirmed, mined, open_ones, register, seen, untracked


def change(run: Run, **fields: Any) -> Tracked:
    (tracked,) = run(changing.change, "tx", RegistrationChange(**fields)).rows
    return tracked


def page(run: Run) -> TransactionRecord:
    return run(transaction_page, "tx")


def last(run: Run) -> Any:
    return run(feed.entries, after=0, limit=99)[-1]


@pytest.fixture
def pending(run: Run) -> Tracked:
    (known,) = register(run, "tx").rows
    commit(run, events=(seen(known),))
    return run(reading.load, "tx")


def expired(before: Tracked) -> Event:
    return Event(before.state, replace(before, state="expired", version=before.version + 1))


def test_new_values_are_stored_and_loaded(run: Run, pending: Tracked) -> None:
    changed = change(run, required=7, deadline=9e9, metadata='{"a":1}')

    assert changed == replace(pending, required=7, deadline=9e9, revision=1)
    assert open_ones(run) == [changed]
    assert page(run).metadata == '{"a":1}'


def test_unchanged_values_stay(run: Run, pending: Tracked) -> None:
    change(run, required=7, deadline=9e9, metadata='{"a":1}', expectation=Expectation(value=1))
    before = page(run)

    change(run, required="safe")

    after = page(run)
    assert after.tracked == replace(before.tracked, required="safe", revision=2)
    assert (after.metadata, after.expectation) == (before.metadata, before.expectation)
    assert pending.version == after.tracked.version


def test_values_can_be_removed(run: Run, pending: Tracked) -> None:
    change(run, deadline=9e9, expectation=Expectation(value=1))

    change(run, deadline=None, expectation=None)

    assert (page(run).tracked.deadline, page(run).expectation) == (None, None)
    assert page(run).tracked.state == pending.state


@pytest.mark.usefixtures("pending")
def test_repeated_change_writes_nothing(run: Run) -> None:
    change(run, required=7, metadata='{"a":1}', expectation=Expectation(value=1))
    before = page(run)

    change(run, required=7, metadata='{"a":1}', expectation=Expectation(value=1))

    assert page(run) == before


def test_change_makes_no_event_and_leaves_old_events(run: Run, pending: Tracked) -> None:
    before = run(feed.entries, after=0, limit=9)

    change(run, required=7, metadata='{"a":1}')

    assert run(feed.entries, after=0, limit=9) == before
    commit(run, events=(mined(replace(pending, required=7, revision=1)),))
    assert last(run).metadata == '{"a":1}'
    assert last(run).event.tracked.required == 7


def test_unknown_and_ended_transactions_are_not_changed(run: Run, pending: Tracked) -> None:
    with pytest.raises(NotTrackedError):
        run(changing.change, "other", RegistrationChange(required=1))
    commit(run, events=(untracked(pending),))

    with pytest.raises(EndedError, match="has ended as untracked"):
        change(run, metadata="{}")


def test_dropped_transaction_is_not_changed(run: Run, pending: Tracked) -> None:
    dropped = replace(pending, state="dropped", version=pending.version + 1)
    commit(run, events=(Event("pending", dropped),))

    with pytest.raises(EndedError, match="has ended as dropped"):
        change(run, required=1)


# -- Events that were decided before the change


def test_event_that_was_being_decided_is_stored_with_the_new_registration(
    run: Run, pending: Tracked
) -> None:
    event = mined(pending)
    change(run, required=9, deadline=9e9)

    stored = commit(run, events=(event,))

    (row,) = stored.rows
    assert (row.state, row.required, row.deadline, row.revision) == ("mined", 9, 9e9, 1)
    assert stored.events[0].tracked == row == run(reading.load, "tx")
    assert last(run).event.tracked.required == 9


@pytest.mark.parametrize(("fields", "wanted"), [({"deadline": 9e9}, 100), ({"required": 200}, 200)])
def test_minimum_of_an_event_that_was_being_decided_stays(
    run: Run, pending: Tracked, fields: dict[str, Any], wanted: int
) -> None:
    event = mined(replace(pending, required=100))
    change(run, **fields)

    stored = commit(run, events=(replace(event, min_confirmations=100),))

    assert stored.rows[0].required == wanted
    assert run(reading.load, "tx").required == wanted


@pytest.mark.parametrize("required", [2, 9, "safe"])
def test_end_at_the_old_depth_is_not_stored(run: Run, pending: Tracked, required: Any) -> None:
    events = mined(pending), confirmed(mined(pending).tracked)
    change(run, required=required)

    stored = commit(run, events=events)

    assert [event.tracked.state for event in stored.events] == ["mined"]
    assert run(reading.load, "tx").state == "mined"
    # Decided again with the new depth, it is stored.
    again = confirmed(run(reading.load, "tx"))
    assert commit(run, events=(again,)).events == (again,)


def test_end_alone_at_the_old_depth_leaves_the_transaction_open(run: Run, pending: Tracked) -> None:
    commit(run, events=(mined(pending),))
    event = confirmed(run(reading.load, "tx"))
    change(run, required=9)

    stored = commit(run, events=(event,))

    assert stored.events == ()
    assert stored.rows == (run(reading.load, "tx"),)
    assert stored.rows[0].required == 9


def test_end_stays_if_only_the_deadline_has_changed(run: Run, pending: Tracked) -> None:
    commit(run, events=(mined(pending),))
    event = confirmed(run(reading.load, "tx"))
    change(run, deadline=9e9)

    assert commit(run, events=(event,)).events[0].tracked.state == "confirmed"


def test_rule_that_was_being_decided_outlasts_a_change_of_the_deadline(run: Run) -> None:
    run(registering.register, [Registration("tx", 3, required_by="setting")])
    before, rule = run(reading.load, "tx"), Rule(30, 1)
    event = mined(before)
    raised = replace(event, tracked=replace(event.tracked, required=30, required_by=rule))

    change(run, deadline=9e9)
    commit(run, events=(raised, confirmed(raised.tracked)))

    after = run(reading.load, "tx")
    assert (after.state, after.required, after.required_by) == ("confirmed", 30, rule)
    assert after.deadline == 9e9


def test_number_of_the_user_outweighs_a_rule_that_was_being_decided(run: Run) -> None:
    run(registering.register, [Registration("tx", 3, required_by="setting")])
    before = run(reading.load, "tx")
    event = mined(before)
    raised = replace(event, tracked=replace(event.tracked, required=30, required_by=Rule(30, 1)))

    change(run, required=3)
    commit(run, events=(raised,))

    after = run(reading.load, "tx")
    assert (after.state, after.required, after.required_by) == ("mined", 3, "request")


def test_expiry_at_the_old_deadline_is_not_stored(run: Run, pending: Tracked) -> None:
    change(run, deadline=5.0)
    event = expired(run(reading.load, "tx"))
    change(run, deadline=9e9)

    assert commit(run, events=(event,)).events == ()
    assert run(reading.load, "tx").state == pending.state


def test_registering_again_after_a_change_takes_the_new_registration(
    run: Run, pending: Tracked
) -> None:
    change(run, required=9)
    commit(run, events=(untracked(run(reading.load, "tx")),))

    (again,) = register(run, "tx").rows

    assert (again.state, again.required) == ("registered", 3)
    assert again == run(reading.load, "tx")
    assert again.version > pending.version


# -- Expectations


def paid(before: Tracked, transfers: int = 0) -> Event:
    """Return the event that shows a payment of 5, with transfers of 1 of a token."""
    details = Details(
        Payment("a", "b", 5, 1),
        Execution(
            transfers=tuple(Transfer(i, "erc20", "t", "a", "b", 1) for i in range(transfers))
        ),
    )
    return replace(mined(before), details=details)


@pytest.mark.parametrize(
    ("expectation", "matches"),
    [
        (Expectation(value=5), True),
        (Expectation(value=6), False),
        (Expectation(recipient="b", token="t", value=2), True),
    ],
)
def test_new_expectation_is_compared_at_once(
    run: Run, pending: Tracked, expectation: Expectation, matches: bool
) -> None:
    commit(run, events=(paid(pending, 2),))

    change(run, expectation=expectation)

    assert orjson.loads(page(run).expectation or "")["matches"] is matches


def test_new_expectation_of_a_cut_off_list_of_transfers_stays_unknown(
    run: Run, pending: Tracked
) -> None:
    commit(run, events=(paid(pending, MAX_TRANSFERS + 1),))

    change(run, expectation=Expectation(recipient="b", token="t", value=MAX_TRANSFERS))

    assert orjson.loads(page(run).expectation or "")["matches"] is None
    commit(run, events=(confirmed(run(reading.load, "tx")),))
    assert orjson.loads(last(run).expectation)["matches"] is None
