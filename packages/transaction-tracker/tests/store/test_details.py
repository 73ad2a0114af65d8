"""Details and expectations are stored with each event, and never change there."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    BlockRef,
    Details,
    Event,
    Execution,
    Expectation,
    Output,
    Payment,
    Registration,
    Tracked,
    Transfer,
)
from transaction_tracker.store import details, feed, pages, registering
from transaction_tracker.store.details import MAX_TRANSFERS, NAMES
from transaction_tracker.store.feed import EventRecord

from ..databases import Run  # noqa: TID252
from .support import commit, confirmed, mined, register, seen, tracked, untracked

ALICE, BOB, TOKEN = "0xa", "0xb", "0x7"
PAYMENT = Payment(ALICE, BOB, 2**256 - 1, 7)
EXECUTION = Execution(
    21_000, 1_700_000_000, None, (Transfer(3, "erc20", TOKEN, ALICE, BOB, 2**256 - 1),), 2
)


def shows(event: Event, *found: Any) -> Event:
    return replace(event, details=Details(*found))


def events_of(run: Run) -> list[EventRecord]:
    found: list[EventRecord] = run(feed.last_events, transaction="tx", limit=100)
    return found


def orphaned(before: Tracked) -> Event:
    after = replace(before, state="pending", version=before.version + 1, anchor=None, outcome=None)
    return Event(before.state, after)


def play(run: Run) -> list[EventRecord]:
    """Store a life: pending, mined, orphaned, mined again elsewhere, confirmed."""
    pending = shows(seen(tracked()), PAYMENT)
    first = shows(mined(pending.tracked), PAYMENT, EXECUTION)
    back = orphaned(first.tracked)
    again = shows(mined(back.tracked), PAYMENT, replace(EXECUTION, gas_used=5, transfers=()))
    for event in (pending, first, back, again, confirmed(again.tracked)):
        commit(run, events=(event,))
    return events_of(run)


def test_details_are_those_of_the_event_and_of_those_before(run: Run) -> None:
    register(run, "tx")

    told = [details.read(entry.details) for entry in play(run)]

    again = replace(EXECUTION, gas_used=5, transfers=())
    assert told == [
        Details(PAYMENT),
        Details(PAYMENT, EXECUTION),
        Details(PAYMENT),
        Details(PAYMENT, again),
        Details(PAYMENT, again),
    ]
    kept = run(pages.transaction_page, transaction="tx")
    assert kept.details == events_of(run)[-1].details


def test_events_of_one_step_build_on_each_other(run: Run) -> None:
    register(run, "tx")
    pending = shows(seen(tracked()), PAYMENT)
    first = shows(mined(pending.tracked), None, EXECUTION)

    commit(run, events=(pending, first, confirmed(first.tracked)))

    told = [details.read(entry.details) for entry in events_of(run)]
    assert told == [Details(PAYMENT), *[Details(PAYMENT, EXECUTION)] * 2]


def test_every_name_is_there_once_anything_is_known(run: Run) -> None:
    register(run, "tx")
    commit(run, events=(seen(tracked()),))
    (before,) = events_of(run)
    commit(run, events=(shows(mined(before.event.tracked), Payment()),))

    assert before.details is None
    assert events_of(run)[-1].details is None, "nothing was readable"


def test_fee_is_that_of_the_outcome(run: Run) -> None:
    register(run, "tx")

    found = [orjson.loads(entry.details or "null") for entry in play(run)]

    assert [each["fee_wei"] for each in found] == [None, "21", None, "21", "21"]
    assert all(tuple(each) == NAMES for each in found)


def test_superseded_transaction_has_done_nothing(run: Run) -> None:
    register(run, "tx")
    pending = shows(seen(tracked()), PAYMENT)
    after = replace(
        pending.tracked,
        state="superseded",
        version=2,
        anchor=BlockRef(10, "ten"),
        superseded_by="other",
    )

    commit(run, events=(pending, Event("pending", after)))

    assert details.read(events_of(run)[-1].details) == Details(PAYMENT)


def test_correction_without_a_time_keeps_the_time_of_the_block(run: Run) -> None:
    register(run, "tx")
    first = shows(mined(tracked()), PAYMENT, EXECUTION)
    corrected = replace(first.tracked, version=2)
    commit(run, events=(first,))

    fact = replace(EXECUTION, gas_used=5, block_time=None)
    commit(run, events=(shows(Event("mined", corrected), PAYMENT, fact),))

    told = details.read(events_of(run)[-1].details)
    assert told.execution == replace(EXECUTION, gas_used=5)


def many(count: int) -> Execution:
    return Execution(
        transfers=tuple(Transfer(n, "erc20", TOKEN, ALICE, BOB, 1) for n in range(count))
    )


def test_long_list_of_transfers_is_cut_off_and_counted(run: Run) -> None:
    register(run, "tx")
    commit(run, events=(shows(mined(tracked()), PAYMENT, many(MAX_TRANSFERS + 1)),))

    found = orjson.loads(events_of(run)[-1].details or "null")

    assert len(found["transfers"]) == MAX_TRANSFERS
    assert found["transfer_count"] == MAX_TRANSFERS + 1


# -- Expectations


def expect(run: Run, **fields: Any) -> None:
    wanted = Registration("tx", 3, expectation=Expectation(**fields))
    run(registering.register, registrations=[wanted])


def answers(run: Run) -> list[bool | None]:
    return [orjson.loads(entry.expectation or "null")["matches"] for entry in events_of(run)]


def test_without_an_expectation_nothing_is_compared(run: Run) -> None:
    register(run, "tx")

    assert {entry.expectation for entry in play(run)} == {None}


def test_each_event_says_whether_the_payment_is_expected(run: Run) -> None:
    expect(run, token=TOKEN, recipient=BOB, min_value=1)
    kept = run(pages.transaction_page, transaction="tx")

    play(run)

    assert orjson.loads(kept.expectation)["matches"] is None
    assert answers(run) == [None, True, None, False, False]
    now = run(pages.transaction_page, transaction="tx")
    assert now.expectation == events_of(run)[-1].expectation


@pytest.mark.parametrize(("value", "matches"), [(MAX_TRANSFERS + 1, True), (MAX_TRANSFERS, False)])
def test_all_transfers_count_also_those_that_are_not_stored(
    run: Run, value: int, matches: bool
) -> None:
    expect(run, token=TOKEN, recipient=BOB, value=value)
    first = shows(mined(tracked()), PAYMENT, many(MAX_TRANSFERS + 1))
    commit(run, events=(first,))

    commit(run, events=(confirmed(first.tracked),))

    assert answers(run) == [matches, matches]


def test_another_registration_changes_no_expectation(run: Run) -> None:
    expect(run, recipient=BOB)
    expect(run, recipient=ALICE)

    commit(run, events=(shows(seen(tracked()), PAYMENT),))

    assert answers(run) == [True]


def test_registration_after_untracking_has_its_own_expectation(run: Run) -> None:
    expect(run, recipient=BOB)
    pending = shows(seen(tracked()), PAYMENT)
    commit(run, events=(pending, untracked(pending.tracked)))

    expect(run, recipient=ALICE)

    first, _, again = answers(run)
    assert (first, again) == (True, False)


def test_outputs_are_stored_in_satoshi(run: Run) -> None:
    register(run, "tx")
    outputs = (Output(0, 2_100_000_000_000_000, BOB), Output(1, 0, None))
    payment = Payment(recipient=BOB, value=2_100_000_000_000_000, outputs=outputs, output_count=2)
    pending = shows(seen(tracked()), payment)
    first = shows(mined(pending.tracked), payment, Execution(block_time=1_700_000_000))
    for event in (pending, first):
        commit(run, events=(event,))

    *_, last = events_of(run)
    said = orjson.loads(last.details or "")

    assert details.read(last.details).payment == payment
    assert said["outputs"] == [
        {"index": 0, "to": BOB, "value_sat": "2100000000000000"},
        {"index": 1, "to": None, "value_sat": "0"},
    ]
    assert (said["value_sat"], said["value_wei"], said["fee_wei"]) == (
        "2100000000000000",
        None,
        None,
    )
    assert said["fee_sat"] is not None


def test_removed_block_of_a_slot_leaves_no_payment(run: Run) -> None:
    slot = Registration("slot", 3, slot="slot", expectation=Expectation(recipient=BOB))
    run(registering.register, [slot])
    known = tracked("slot", slots=("slot",))
    paid = shows(_took(known, "hash"), PAYMENT, EXECUTION)
    back = replace(
        orphaned(paid.tracked), tracked=replace(orphaned(paid.tracked).tracked, hash=None)
    )
    for event in (paid, back):
        commit(run, events=(event,))

    _, before, after = (None, *(run(feed.last_events, transaction="slot", limit=9)))

    assert orjson.loads(before.details)["to"] == BOB
    assert orjson.loads(before.expectation)["matches"] is True
    assert after.details is None
    assert orjson.loads(after.expectation)["matches"] is None


def test_slot_that_is_registered_again_has_no_old_payment(run: Run) -> None:
    slot = Registration("slot", 3, slot="slot", expectation=Expectation(recipient=BOB))
    run(registering.register, [slot])
    paid = shows(_took(tracked("slot", slots=("slot",)), "hash"), PAYMENT, EXECUTION)
    for event in (paid, untracked(paid.tracked)):
        commit(run, events=(event,))

    run(registering.register, [slot])

    page = run(pages.transaction_page, "slot")
    assert (page.tracked.state, page.details) == ("registered", None)
    assert orjson.loads(page.expectation)["matches"] is None


def _took(before: Tracked, hash_: str) -> Event:
    """Return the event that puts a transaction of a slot into a block."""
    event = mined(before)
    return replace(event, tracked=replace(event.tracked, slots=before.slots, hash=hash_))
