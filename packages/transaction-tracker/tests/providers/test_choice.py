"""Whom to follow, as a decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.providers.choice import Candidate, best, best_head, choose


def candidate(name: str, lag: int = 0, error_rate: float = 0.0, latency: float = 0.1) -> Candidate:
    return Candidate(name, lag, error_rate, latency)


candidates = st.lists(
    st.builds(
        Candidate, st.sampled_from("abcdef"), st.integers(0, 20), st.floats(0, 1), st.floats(0, 10)
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)


def test_the_active_one_stays_though_others_are_better() -> None:
    others = [candidate("quick", latency=0.001), candidate("slow", lag=3, error_rate=0.9)]

    assert choose("slow", others, max_lag=3) == "slow"


def test_one_that_lags_is_left_for_one_that_does_not() -> None:
    assert choose("a", [candidate("a", lag=4), candidate("b", lag=3)], max_lag=3) == "b"


def test_one_that_lags_is_kept_when_all_lag() -> None:
    assert choose("a", [candidate("a", lag=9), candidate("b", lag=5)], max_lag=3) == "a"


def test_one_that_cannot_be_asked_is_left() -> None:
    assert choose("gone", [candidate("a")], max_lag=3) == "a"
    assert choose("gone", [], max_lag=3) is None


def test_the_first_choice_is_the_first_that_keeps_up() -> None:
    found = [candidate("behind", lag=4), candidate("slow", latency=9.0), candidate("quick")]

    assert choose(None, found, max_lag=3) == "slow"


def test_the_order_given_decides_between_equals() -> None:
    assert choose("gone", [candidate("b"), candidate("a")], max_lag=3) == "b"


def test_keeping_up_comes_before_failing_seldom_before_being_quick() -> None:
    lagging = candidate("lagging", lag=5, latency=0.0)
    failing = candidate("failing", error_rate=0.5, latency=0.0)
    slow = candidate("slow", latency=5.0)

    assert best([lagging, failing, slow], 3) == "slow"
    assert best([lagging, failing, slow], 3, but=["slow"]) == "failing"
    assert best([lagging], 3) == "lagging"


@given(candidates, st.sampled_from("abcdef"), st.integers(0, 10))
def test_the_choice_settles(found: list[Candidate], active: str, max_lag: int) -> None:
    chosen = choose(active, found, max_lag)

    assert (chosen is None) == (not found)
    assert choose(chosen, found, max_lag) == chosen


@given(candidates, st.sampled_from("abcdef"), st.integers(0, 10))
def test_whoever_lags_is_chosen_only_when_all_do(
    found: list[Candidate], active: str, max_lag: int
) -> None:
    chosen = choose(active, found, max_lag)

    lags = {one.name: one.lag for one in found}
    assert chosen is None or lags[chosen] <= max_lag or min(lags.values()) > max_lag


@pytest.mark.parametrize(
    ("heads", "expected"),
    [([], None), ([7], 7), ([7, 9], 9), ([7, 9, 9], 9), ([7, 8, 2**50], 8)],
)
def test_of_three_heads_one_alone_is_not_believed(heads: list[int], expected: int | None) -> None:
    assert best_head(heads) == expected
