"""Registration of new and of known transactions."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import Payment, Registration, Tracked, Transaction
from transaction_tracker.store import details, feed, reading, registering
from transaction_tracker.store.pages import transaction_page

from .support import Run, commit, mined, open_ones, register, seen, tracked, untracked


def test_registered_transaction_is_stored_and_open(run: Run) -> None:
    stored = register(run, "tx")

    assert stored.rows == (Tracked("tx", 3),)
    assert run(reading.load, "tx") == Tracked("tx", 3)
    assert open_ones(run) == [Tracked("tx", 3)]


@pytest.mark.parametrize("required", [1, 10_000, "safe", "finalized"])
def test_registration_is_stored_with_its_options(run: Run, required: object) -> None:
    asked = Registration("tx", required, deadline=1e9, metadata='{"a": "ü"}')  # type: ignore[arg-type]

    run(registering.register, [asked])

    assert run(reading.load, "tx") == Tracked("tx", asked.required, deadline=1e9)
    commit(run, events=(seen(run(reading.load, "tx")),))
    (recorded,) = run(feed.entries, after=0, limit=9)
    assert recorded.metadata == '{"a": "ü"}'


def test_registering_again_changes_nothing(run: Run) -> None:
    register(run, "tx")
    pending = seen(tracked())
    commit(run, events=(pending,))

    assert register(run, "tx", "tx").rows == (pending.tracked,)
    assert run(reading.load_events, "tx") == [(1, "pending")]


def test_first_of_two_registrations_of_one_call_is_stored(run: Run) -> None:
    stored = run(registering.register, [Registration("tx", 3), Registration("tx", 9)])

    assert stored.rows == (Tracked("tx", 3),)


def test_thousands_of_transactions_are_registered_at_once(run: Run) -> None:
    names = [f"tx{number}" for number in range(12_000)]
    register(run, *names[:1_200])

    assert len(register(run, *names).rows) == 12_000
    assert {transaction.id for transaction in open_ones(run)} == set(names)


def test_parked_transaction_keeps_its_state_and_error(run: Run) -> None:
    register(run, "tx")

    stored = run(registering.park, "tx", "ValueError: odd")

    assert stored.rows == (tracked(error="ValueError: odd"),)
    assert tuple(open_ones(run)) == stored.rows


def test_registering_a_parked_transaction_clears_its_error(run: Run) -> None:
    register(run, "tx")
    run(registering.park, "tx", "ValueError: odd")

    assert register(run, "tx").rows == (tracked(),)


def test_error_with_any_characters_is_stored(run: Run) -> None:
    register(run, "tx")

    run(registering.park, "tx", "nul \0, half a character \ud800" + "!" * 9_999)

    error = run(reading.load, "tx").error
    assert error.startswith("nul \N{REPLACEMENT CHARACTER}, half a character ?!!!")
    assert len(error) == 2_000


def test_untracked_transaction_is_registered_again_with_an_event(run: Run) -> None:
    run(registering.register, [Registration("tx", 3, metadata='{"first": 1}')])
    stopped = untracked(tracked())
    commit(run, events=(stopped,))

    again = run(registering.register, [Registration("tx", 7, deadline=2e9, metadata="{}")])

    expected = replace(tracked(), required=7, deadline=2e9, version=2)
    assert again.rows == (expected,)
    assert [(event.previous, event.tracked) for event in again.events] == [("untracked", expected)]
    assert again.position == 2
    assert run(reading.load, "tx") == expected
    assert run(reading.load_events, "tx") == [(1, "untracked"), (2, "registered")]
    assert run(feed.entries, after=1, limit=9)[0].metadata == "{}"


def test_registering_another_final_transaction_changes_nothing(run: Run) -> None:
    register(run, "tx")
    over = mined(tracked())
    ended = replace(over.tracked, state="confirmed")
    commit(run, events=(replace(over, tracked=ended),))

    again = register(run, "tx")

    assert (again.rows, again.events) == ((ended,), ())


def test_raw_registration_of_an_untracked_hash_knows_the_transaction(run: Run) -> None:
    register(run, "tx")
    commit(run, events=(untracked(tracked()),))
    payment = Payment("0xa", "0xb", 5, 7)
    known = Transaction("tx", ("0xa:7",), "c", max_fee=3, payment=payment)

    (again,) = run(registering.register, [Registration("tx", 3, known=known)]).rows

    assert (again.state, again.slots, again.content) == ("registered", ("0xa:7",), "c")
    assert again == run(reading.load, "tx")
    assert run(transaction_page, "tx").details == details.of_payment(payment)


def test_hash_that_is_registered_again_keeps_what_is_known(run: Run) -> None:
    register(run, "tx")
    pending = seen(tracked())
    commit(run, events=(pending, untracked(pending.tracked)))

    (again,) = register(run, "tx").rows

    assert (again.slots, again.content) == (pending.tracked.slots, "c")
