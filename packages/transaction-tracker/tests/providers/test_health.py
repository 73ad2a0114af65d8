"""Health is a value: it needs no event loop and no clock."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.providers.health import (
    PAUSES,
    STUCK_SECONDS,
    ErrorClass,
    Health,
    error_class,
)
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
    WrongChainError,
)

CLASSES: tuple[ErrorClass, ...] = get_args(ErrorClass)
HARMLESS: tuple[ErrorClass, ...] = ("application", "not_yet", "rate_limit")


def failing(health: Health, kind: ErrorClass, *times: float) -> list[float | None]:
    return [health.record_failure(kind, now) for now in times]


def test_three_transport_errors_within_a_minute_pause_for_a_minute() -> None:
    health = Health()

    assert failing(health, "transport", 0.0, 30.0, 60.0) == [None, None, PAUSES.initial]
    assert health.paused_until == 60.0 + PAUSES.initial


def test_three_transport_errors_in_more_than_a_minute_do_not_pause() -> None:
    health = Health()

    assert failing(health, "transport", 0.0, 30.0, 60.1, 90.2) == [None] * 4


def test_responses_in_between_do_not_reset_transport_errors() -> None:
    health = Health()
    failing(health, "transport", 0.0, 1.0)
    health.record_response(0.1)

    assert health.record_failure("transport", 2.0) == PAUSES.initial


@pytest.mark.parametrize("kind", ["server", "malformed"])
def test_three_bad_responses_in_a_row_pause(kind: ErrorClass) -> None:
    health = Health()

    assert failing(health, kind, 0.0, 1_000.0, 2_000.0) == [None, None, PAUSES.initial]


@pytest.mark.parametrize("kind", ["server", "malformed"])
def test_single_failures_between_responses_never_pause(kind: ErrorClass) -> None:
    health = Health()

    for now in range(100):
        assert health.record_failure(kind, float(now)) is None
        health.record_response(0.1)


# OpenZeppelin Relayer#681: one class of error paused every provider.
@given(st.lists(st.tuples(st.sampled_from(HARMLESS), st.floats(0, 100)), max_size=200))
def test_errors_about_the_request_never_count_against_the_provider(
    failures: list[tuple[ErrorClass, float]],
) -> None:
    health = Health()

    for kind, now in failures:
        assert health.record_failure(kind, now) is None

    assert health.paused_until is None
    assert failing(health, "transport", 0.0, 1.0) == [None, None]


def test_each_pause_is_twice_as_long_up_to_a_maximum() -> None:
    health = Health()
    now, pauses = 0.0, []
    failing(health, "transport", now, now)

    for _ in range(8):
        pause = health.record_failure("transport", now)
        assert pause is not None
        pauses.append(pause)
        now += pause

    assert pauses == [60, 120, 240, 480, 960, 960, 960, 960]
    assert max(pauses) == PAUSES.maximum


def test_one_failure_pauses_again_until_a_check_succeeds() -> None:
    health = Health()
    failing(health, "transport", 0.0, 0.0, 0.0)

    assert health.record_failure("transport", 61.0) == 120.0
    health.end_pause()
    assert health.paused_until is None
    assert failing(health, "transport", 200.0, 201.0, 202.0) == [None, None, 240.0]


def test_long_time_without_a_pause_resets_the_pause_length() -> None:
    health = Health()
    failing(health, "transport", 0.0, 0.0, 0.0)
    health.end_pause()
    later = PAUSES.initial + PAUSES.reset_after + 1

    assert failing(health, "transport", later, later, later)[-1] == PAUSES.initial


def test_requests_in_flight_when_a_pause_begins_do_not_extend_it() -> None:
    health = Health()

    pauses = failing(health, "transport", *[float(now) for now in range(10)])

    assert [pause for pause in pauses if pause is not None] == [PAUSES.initial]


@given(
    st.lists(
        st.tuples(st.sampled_from((*CLASSES, "ok", "end_pause")), st.floats(0, 1_000)), max_size=300
    )
)
def test_pauses_are_always_between_minimum_and_maximum(steps: list[tuple[str, float]]) -> None:
    health, now, counted = Health(), 0.0, 0

    for step, wait in steps:
        now += wait
        if step == "ok":
            health.record_response(wait)
        elif step == "end_pause":
            health.end_pause()
        else:
            counted += 1
            pause = health.record_failure(step, now)  # type: ignore[arg-type]
            assert pause is None or PAUSES.initial <= pause <= PAUSES.maximum
            assert pause is None or health.paused_until == now + pause

    assert sum(health.errors.values()) == counted
    assert 0.0 <= health.error_rate(*CLASSES) <= 1.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=400))
def test_percentiles_are_measured_latencies(measured: list[float]) -> None:
    health = Health()
    for seconds in measured:
        health.record_response(seconds)

    median, slow = health.latency_percentile(0.5), health.latency_percentile(0.95)

    assert median in measured
    assert slow in measured
    assert median <= slow
    assert health.latency is not None
    assert min(measured) - 1e-9 <= health.latency <= max(measured) + 1e-9


def test_values_before_the_first_response() -> None:
    health = Health()

    assert health.latency_percentile(0.5) is None
    assert health.latency is None
    assert health.error_rate("transport") == 0.0


def test_error_rate_is_that_of_the_last_requests() -> None:
    health = Health()
    failing(health, "application", *[0.0] * 100)
    for _ in range(300):
        health.record_response(0.1)

    assert health.error_rate(*CLASSES) == 0.0
    assert health.errors["application"] == 100


def test_lag_is_never_below_zero() -> None:
    health = Health()

    health.record_head(10, 8, 1.0)

    assert (health.head, health.lag, health.head_at) == (10, 0, 1.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TransportError(""), "transport"),
        (RateLimitedError(""), "rate_limit"),
        (ServerError(""), "server"),
        (MalformedError(""), "malformed"),
        (NotYetError(""), "not_yet"),
        (ApplicationError("", 3), "application"),
        (WrongChainError(""), "application"),
        (SourceError(""), "server"),
    ],
)
def test_every_error_has_a_class(error: SourceError, kind: str) -> None:
    assert error_class(error) == kind


def test_three_unreadable_blocks_in_a_row_pause() -> None:
    health = Health()

    pauses = []
    for now in (0.0, 1.0, 2.0):
        health.record_response(0.1, "malformed")  # the request itself got a response
        pauses.append(health.record_unreadable_block("whole", now))

    assert pauses == [None, None, PAUSES.initial]


def test_readable_block_in_between_resets_unreadable_blocks() -> None:
    health = Health()

    for now in range(9):
        assert health.record_unreadable_block("whole", float(now)) is None
        if now % 2:
            health.record_readable_block("whole")


def test_unreadable_part_of_a_response_counts_in_the_rate_and_never_pauses() -> None:
    health = Health()

    for _ in range(100):
        health.record_response(0.1, "malformed")
        health.record_error("malformed")

    assert health.error_rate("malformed") == 1.0
    assert health.errors == {"malformed": 100}
    assert health.paused_until is None


# One address can have several backends that differ by some blocks.
def test_head_that_goes_back_for_a_moment_does_not_count_as_lag() -> None:
    health = Health()

    lags = []
    for now, height in [(0.0, 100), (1.0, 96), (2.0, 101), (3.0, 96), (12.0, 96)]:
        health.record_head(height, 101, now, window=10.0)
        lags.append(health.lag)

    assert lags == [1, 1, 0, 0, 0]
    assert health.head == 96
    health.record_head(96, 101, 13.0, window=10.0)
    assert health.lag == 5  # the backends with the higher head have not responded for 10 s


def test_provider_that_is_behind_and_does_not_advance_is_stuck() -> None:
    health = Health()

    health.record_head(100, 100, 0.0)
    health.record_head(100, 102, 5.0)
    assert not health.stuck
    for second in range(6, int(STUCK_SECONDS) + 5):
        health.record_head(100, 102, float(second))
        assert not health.stuck
    health.record_head(100, 102, STUCK_SECONDS + 5.0)
    assert health.stuck
    health.record_head(101, 102, STUCK_SECONDS + 6.0)
    assert not health.stuck


@pytest.mark.parametrize("suspended", [60.0, 3_600.0])
def test_provider_is_not_stuck_because_the_program_was_suspended(suspended: float) -> None:
    """A head that was on its way during the suspend is old when it arrives."""
    health = Health()
    health.record_head(100, 102, 5.0)

    health.record_head(100, 102, 6.0 + suspended)

    assert not health.stuck


def test_provider_that_stays_behind_and_advances_is_not_stuck() -> None:
    health = Health()

    for height in range(100, 400):
        health.record_head(height, height + 2, 12.0 * height)
        assert not health.stuck


def test_provider_without_lag_is_not_stuck_however_long_the_chain_rests() -> None:
    health = Health()

    for minute in range(60):
        health.record_head(100, 100, 60.0 * minute)
        assert not health.stuck
    health.record_head(100, 101, 3_600.0)
    assert not health.stuck


def test_readable_heads_do_not_reset_unreadable_blocks() -> None:
    health = Health()
    pauses = []
    for now in range(3):
        pauses.append(health.record_unreadable_block("whole", float(now)))
        health.record_readable_block("place")

    assert pauses == [None, None, 60.0]


@pytest.mark.parametrize(
    ("numbers", "pauses"),
    [
        ((7, 8, 9), [None, None, PAUSES.initial]),
        ((7, 7, 8, 8, 9), [None, None, None, None, PAUSES.initial]),
        ((7, 8, 10, 11), [None] * 4),
        ((9, 8, 7), [None] * 3),
    ],
)
def test_three_wrong_parents_at_heights_in_a_row_pause(
    numbers: tuple[int, ...], pauses: list[float | None]
) -> None:
    health = Health()

    assert [health.record_wrong_parent(number, 0.0) for number in numbers] == pauses


def test_wrong_parents_and_incomplete_blocks_do_not_make_a_pause_longer() -> None:
    health = Health()
    failing(health, "transport", 0.0, 0.0, 0.0)

    for number in range(6):
        assert health.record_wrong_parent(number, 1.0) is None
        assert health.record_incomplete_block(number, 1.0) is None

    assert health.paused_until == PAUSES.initial
