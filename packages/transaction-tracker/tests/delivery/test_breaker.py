"""The circuit breaker of an endpoint."""

from transaction_tracker.delivery.breaker import (
    MAX_REQUESTED_PAUSE_SECONDS,
    PAUSES,
    Breaker,
)

LIMIT = 4


def failing(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker(threshold=5)
    for _ in range(times):
        breaker = breaker.failed(now)
    return breaker


def test_breaker_stays_closed_below_the_threshold() -> None:
    assert failing(4).capacity(0.0, in_flight=0, limit=LIMIT) == LIMIT


def test_capacity_is_the_limit_minus_attempts_in_flight() -> None:
    assert Breaker().capacity(0.0, in_flight=3, limit=LIMIT) == 1
    assert Breaker().capacity(0.0, in_flight=4, limit=LIMIT) == 0
    assert Breaker().capacity(0.0, in_flight=9, limit=LIMIT) == 0


def test_failures_in_a_row_open_the_breaker() -> None:
    breaker = failing(5)

    assert breaker.capacity(PAUSES.initial - 0.1, in_flight=0, limit=LIMIT) == 0


def test_open_breaker_allows_one_probe_after_the_pause() -> None:
    breaker = failing(5)

    assert breaker.capacity(PAUSES.initial, in_flight=0, limit=LIMIT) == 1
    assert breaker.capacity(PAUSES.initial, in_flight=1, limit=LIMIT) == 0


def test_response_closes_the_breaker() -> None:
    breaker = failing(5).answered()

    assert breaker.capacity(0.0, in_flight=0, limit=LIMIT) == LIMIT
    assert breaker.failed(0.0).open_until is None


def test_failed_probes_lengthen_the_pause_up_to_a_maximum() -> None:
    breaker, now = failing(5), 0.0
    pauses = []
    for _ in range(10):
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker = breaker.failed(now)

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_failures_during_the_pause_do_not_lengthen_it() -> None:
    breaker = failing(5)

    assert breaker.failed(1.0) == breaker


def test_retry_after_pauses_at_once_up_to_a_maximum() -> None:
    assert Breaker().failed(0.0, asked=90.0).open_until == 90.0
    assert Breaker().failed(0.0, asked=1e9).open_until == MAX_REQUESTED_PAUSE_SECONDS
    assert failing(5).failed(1.0, asked=90.0).open_until == 91.0


def test_jitter_spreads_pauses() -> None:
    together = Breaker(threshold=1).failed(0.0), Breaker(threshold=1).failed(0.0, jitter=1.0)

    assert [each.open_until for each in together] == [
        PAUSES.initial,
        1.2 * PAUSES.initial,
    ]


def test_probe_now_ends_the_pause() -> None:
    breaker = failing(5).probe_now(1.0)

    assert breaker.capacity(1.0, in_flight=0, limit=LIMIT) == 1
    assert breaker.failed(1.0).capacity(2.0, in_flight=0, limit=LIMIT) == 0
    assert Breaker().probe_now(1.0) == Breaker()


def test_failing_endpoint_gets_one_probe_after_a_restart() -> None:
    breaker = Breaker.probing(7.0)

    assert breaker.capacity(7.0, in_flight=0, limit=LIMIT) == 1
    assert breaker.capacity(7.0, in_flight=1, limit=LIMIT) == 0
    assert breaker.failed(7.0).capacity(7.0, in_flight=0, limit=LIMIT) == 0
