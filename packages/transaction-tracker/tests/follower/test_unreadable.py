from transaction_tracker.follower.unreadable import (
    MIN_ANSWERS,
    MIN_SECONDS,
    UnreadableTransactions,
)


def test_transaction_is_parked_after_several_answers_over_a_minute() -> None:
    unreadable = UnreadableTransactions()

    parked = [unreadable.note("tx", now) for now in (0.0, 30.0, 59.9, 60.0)]

    assert (MIN_ANSWERS, MIN_SECONDS) == (3, 60.0)
    assert parked == [False, False, False, True]


def test_minute_with_too_few_answers_is_not_enough() -> None:
    unreadable = UnreadableTransactions()

    assert [unreadable.note("tx", now) for now in (0.0, 600.0, 1_200.0)] == [False, False, True]


def test_readable_answer_starts_the_count_again() -> None:
    unreadable = UnreadableTransactions()
    for now in (0.0, 30.0):
        unreadable.note("tx", now)

    unreadable.forget("tx")

    assert [unreadable.note("tx", now) for now in (60.0, 90.0, 119.9)] == [False, False, False]
    assert unreadable.note("tx", 120.0)


def test_each_transaction_is_counted_separately() -> None:
    unreadable = UnreadableTransactions()
    for now in (0.0, 30.0):
        unreadable.note("tx", now)

    assert not unreadable.note("other", 70.0)
    unreadable.forget("other")
    assert unreadable.note("tx", 70.0)


def test_parked_transaction_that_is_started_again_gets_its_full_time() -> None:
    unreadable = UnreadableTransactions()
    for now in (0.0, 30.0, 60.0):
        unreadable.note("tx", now)

    assert not unreadable.note("tx", 61.0)


def test_unknown_transaction_can_be_forgotten() -> None:
    UnreadableTransactions().forget("tx")
