"""Health is arithmetic: no loop, no clock."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.providers.health import (
    GOOD_STRETCH,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
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
    return [health.failed(kind, now) for now in times]


def test_three_transport_failures_within_a_minute_pause_it_for_a_minute() -> None:
    health = Health()

    assert failing(health, "transport", 0.0, 30.0, 60.0) == [None, None, SHORTEST_PAUSE]
    assert health.paused_until == 60.0 + SHORTEST_PAUSE


def test_three_transport_failures_in_more_than_a_minute_do_not() -> None:
    health = Health()

    assert failing(health, "transport", 0.0, 30.0, 60.1, 90.2) == [None] * 4


def test_answers_in_between_do_not_excuse_transport_failures() -> None:
    health = Health()
    failing(health, "transport", 0.0, 1.0)
    health.answered(0.1)

    assert health.failed("transport", 2.0) == SHORTEST_PAUSE


@pytest.mark.parametrize("kind", ["server", "malformed"])
def test_three_bad_answers_in_a_row_pause_it(kind: ErrorClass) -> None:
    health = Health()

    assert failing(health, kind, 0.0, 1_000.0, 2_000.0) == [None, None, SHORTEST_PAUSE]


@pytest.mark.parametrize("kind", ["server", "malformed"])
def test_one_question_that_breaks_every_node_pauses_none(kind: ErrorClass) -> None:
    health = Health()

    for now in range(100):
        assert health.failed(kind, float(now)) is None
        health.answered(0.1)


# OpenZeppelin Relayer#681: one class of error paused every provider.
@given(st.lists(st.tuples(st.sampled_from(HARMLESS), st.floats(0, 100)), max_size=200))
def test_what_is_wrong_with_the_question_never_counts_against_the_provider(
    failures: list[tuple[ErrorClass, float]],
) -> None:
    health = Health()

    for kind, now in failures:
        assert health.failed(kind, now) is None

    assert health.paused_until is None
    assert failing(health, "transport", 0.0, 1.0) == [None, None]


def test_each_pause_is_twice_as_long_up_to_a_limit() -> None:
    health = Health()
    now, pauses = 0.0, []
    failing(health, "transport", now, now)

    for _ in range(8):
        pause = health.failed("transport", now)
        assert pause is not None
        pauses.append(pause)
        now += pause

    assert pauses == [60, 120, 240, 480, 960, 960, 960, 960]
    assert max(pauses) == LONGEST_PAUSE


def test_after_a_pause_one_failure_is_enough_until_a_check_succeeds() -> None:
    health = Health()
    failing(health, "transport", 0.0, 0.0, 0.0)

    assert health.failed("transport", 61.0) == 120.0
    health.resumed()
    assert health.paused_until is None
    assert failing(health, "transport", 200.0, 201.0, 202.0) == [None, None, 240.0]


def test_a_good_stretch_makes_the_next_pause_the_first_again() -> None:
    health = Health()
    failing(health, "transport", 0.0, 0.0, 0.0)
    health.resumed()
    later = SHORTEST_PAUSE + GOOD_STRETCH + 1

    assert failing(health, "transport", later, later, later)[-1] == SHORTEST_PAUSE


def test_what_was_under_way_when_the_pause_began_does_not_lengthen_it() -> None:
    health = Health()

    pauses = failing(health, "transport", *[float(now) for now in range(10)])

    assert [pause for pause in pauses if pause is not None] == [SHORTEST_PAUSE]


@given(
    st.lists(
        st.tuples(st.sampled_from((*CLASSES, "ok", "resumed")), st.floats(0, 1_000)), max_size=300
    )
)
def test_whatever_happens_pauses_are_in_their_bounds(steps: list[tuple[str, float]]) -> None:
    health, now, counted = Health(), 0.0, 0

    for what, wait in steps:
        now += wait
        if what == "ok":
            health.answered(wait)
        elif what == "resumed":
            health.resumed()
        else:
            counted += 1
            pause = health.failed(what, now)  # type: ignore[arg-type]
            assert pause is None or SHORTEST_PAUSE <= pause <= LONGEST_PAUSE
            assert pause is None or health.paused_until == now + pause

    assert sum(health.errors.values()) == counted
    assert 0.0 <= health.error_rate(*CLASSES) <= 1.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=400))
def test_latencies_are_such_as_were_measured(measured: list[float]) -> None:
    health = Health()
    for seconds in measured:
        health.answered(seconds)

    median, slow = health.percentile(0.5), health.percentile(0.95)

    assert median in measured
    assert slow in measured
    assert median <= slow
    assert health.latency is not None
    assert min(measured) - 1e-9 <= health.latency <= max(measured) + 1e-9


def test_before_the_first_answer_nothing_is_known() -> None:
    health = Health()

    assert health.percentile(0.5) is None
    assert health.latency is None
    assert health.error_rate("transport") == 0.0


def test_the_rate_is_that_of_the_last_requests() -> None:
    health = Health()
    failing(health, "application", *[0.0] * 100)
    for _ in range(300):
        health.answered(0.1)

    assert health.error_rate(*CLASSES) == 0.0
    assert health.errors["application"] == 100


def test_lag_is_never_below_zero() -> None:
    health = Health()

    health.saw_head(10, 8, 1.0)

    assert (health.head, health.lag, health.head_seen) == (10, 0, 1.0)


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


def test_three_unreadable_blocks_in_a_row_pause_it() -> None:
    health = Health()

    pauses = []
    for now in (0.0, 1.0, 2.0):
        health.answered(0.1, "malformed")  # the request itself was answered
        pauses.append(health.unreadable_block("whole", now))

    assert pauses == [None, None, SHORTEST_PAUSE]


def test_a_readable_block_in_between_excuses_unreadable_ones() -> None:
    health = Health()

    for now in range(9):
        assert health.unreadable_block("whole", float(now)) is None
        if now % 2:
            health.readable_block("whole")


def test_an_unreadable_part_of_an_answer_counts_in_the_rate_and_never_pauses() -> None:
    health = Health()

    for _ in range(100):
        health.answered(0.1, "malformed")
        health.erred("malformed")

    assert health.error_rate("malformed") == 1.0
    assert health.errors == {"malformed": 100}
    assert health.paused_until is None


# An address with several nodes behind it, some blocks apart.
def test_a_head_that_goes_back_for_a_moment_is_no_lag() -> None:
    health = Health()

    lags = []
    for now, height in [(0.0, 100), (1.0, 96), (2.0, 101), (3.0, 96), (12.0, 96)]:
        health.saw_head(height, 101, now, window=10.0)
        lags.append(health.lag)

    assert lags == [1, 1, 0, 0, 0]
    assert health.head == 96
    health.saw_head(96, 101, 13.0, window=10.0)
    assert health.lag == 5  # its better nodes have not been heard of for 10 s


def test_a_provider_that_is_behind_and_does_not_advance_is_stuck() -> None:
    health = Health()

    health.saw_head(100, 100, 0.0)
    health.saw_head(100, 102, 5.0)
    assert not health.stuck
    health.saw_head(100, 102, STUCK_SECONDS + 4.0)
    assert not health.stuck
    health.saw_head(100, 102, STUCK_SECONDS + 5.0)
    assert health.stuck
    health.saw_head(101, 102, STUCK_SECONDS + 6.0)
    assert not health.stuck


def test_a_provider_that_follows_the_chain_at_a_distance_is_not_stuck() -> None:
    health = Health()

    for height in range(100, 400):
        health.saw_head(height, height + 2, 12.0 * height)
        assert not health.stuck


def test_a_provider_without_lag_is_not_stuck_however_long_the_chain_rests() -> None:
    health = Health()

    for minute in range(60):
        health.saw_head(100, 100, 60.0 * minute)
        assert not health.stuck
    health.saw_head(100, 101, 3_600.0)
    assert not health.stuck


def test_readable_heads_do_not_hide_that_no_block_can_be_read() -> None:
    health = Health()
    pauses = []
    for now in range(3):
        pauses.append(health.unreadable_block("whole", float(now)))
        health.readable_block("place")

    assert pauses == [None, None, 60.0]
