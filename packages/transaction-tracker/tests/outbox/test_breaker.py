"""Whether an endpoint is worth an attempt."""

from transaction_tracker.outbox.breaker import (
    FIRST_PAUSE,
    LONGEST_ASKED_PAUSE,
    LONGEST_PAUSE,
    Breaker,
)

LIMIT = 4


def failing(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker(threshold=5)
    for _ in range(times):
        breaker = breaker.failed(now)
    return breaker


def test_a_few_failures_change_nothing() -> None:
    assert failing(4).room(0.0, under_way=0, limit=LIMIT) == LIMIT


def test_there_is_room_up_to_the_limit() -> None:
    assert Breaker().room(0.0, under_way=3, limit=LIMIT) == 1
    assert Breaker().room(0.0, under_way=4, limit=LIMIT) == 0
    assert Breaker().room(0.0, under_way=9, limit=LIMIT) == 0


def test_too_many_failures_in_a_row_let_nothing_through_for_a_while() -> None:
    breaker = failing(5)

    assert breaker.room(FIRST_PAUSE - 0.1, under_way=0, limit=LIMIT) == 0


def test_after_the_pause_one_probe_goes_through_at_a_time() -> None:
    breaker = failing(5)

    assert breaker.room(FIRST_PAUSE, under_way=0, limit=LIMIT) == 1
    assert breaker.room(FIRST_PAUSE, under_way=1, limit=LIMIT) == 0


def test_an_answer_lets_everything_through_and_forgets() -> None:
    breaker = failing(5).answered()

    assert breaker.room(0.0, under_way=0, limit=LIMIT) == LIMIT
    assert breaker.failed(0.0).open_until is None


def test_a_failed_probe_makes_the_pause_longer_up_to_a_limit() -> None:
    breaker, now = failing(5), 0.0
    pauses = []
    for _ in range(10):
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker = breaker.failed(now)

    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_attempts_from_before_it_opened_do_not_make_the_pause_longer() -> None:
    breaker = failing(5)

    assert breaker.failed(1.0) == breaker


def test_a_receiver_that_asks_for_time_gets_it_at_once_but_not_for_ever() -> None:
    assert Breaker().failed(0.0, asked=90.0).open_until == 90.0
    assert Breaker().failed(0.0, asked=1e9).open_until == LONGEST_ASKED_PAUSE
    assert failing(5).failed(1.0, asked=90.0).open_until == 91.0


def test_pauses_of_endpoints_that_failed_together_are_spread() -> None:
    together = Breaker(threshold=1).failed(0.0), Breaker(threshold=1).failed(0.0, jitter=1.0)

    assert [each.open_until for each in together] == [FIRST_PAUSE, 1.2 * FIRST_PAUSE]


def test_a_pause_can_be_ended() -> None:
    breaker = failing(5).probe_now(1.0)

    assert breaker.room(1.0, under_way=0, limit=LIMIT) == 1
    assert breaker.failed(1.0).room(2.0, under_way=0, limit=LIMIT) == 0
    assert Breaker().probe_now(1.0) == Breaker()


def test_after_a_restart_an_endpoint_that_failed_gets_one_probe() -> None:
    breaker = Breaker.probing(7.0)

    assert breaker.room(7.0, under_way=0, limit=LIMIT) == 1
    assert breaker.room(7.0, under_way=1, limit=LIMIT) == 0
    assert breaker.failed(7.0).room(7.0, under_way=0, limit=LIMIT) == 0
