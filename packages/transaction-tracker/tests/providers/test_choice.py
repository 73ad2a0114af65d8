"""The choice of the provider to follow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.providers.choice import (
    FOLLOWED_CHAIN,
    Candidate,
    best,
    best_head,
    choose,
    majority,
)


def candidate(name: str, lag: int = 0, error_rate: float = 0.0, latency: float = 0.1) -> Candidate:
    return Candidate(name, lag, error_rate, latency)


candidates = st.lists(
    st.builds(
        Candidate, st.sampled_from("abcdef"), st.integers(0, 20), st.floats(0, 1), st.floats(0, 10)
    ),
    max_size=6,
    unique_by=lambda candidate: candidate.name,
)


def test_active_provider_stays_although_others_are_better() -> None:
    others = [candidate("quick", latency=0.001), candidate("slow", lag=3, error_rate=0.9)]

    assert choose("slow", others, max_lag=3) == "slow"


def test_lagging_provider_is_replaced_by_one_that_keeps_up() -> None:
    assert choose("a", [candidate("a", lag=4), candidate("b", lag=3)], max_lag=3) == "b"


def test_lagging_provider_is_kept_when_all_lag() -> None:
    assert choose("a", [candidate("a", lag=9), candidate("b", lag=5)], max_lag=3) == "a"


def test_stuck_provider_is_replaced_even_if_its_lag_is_small() -> None:
    stuck = replace(candidate("stuck", lag=1), stuck=True)

    assert choose("stuck", [stuck, candidate("good")], max_lag=3) == "good"
    assert choose("stuck", [stuck, candidate("behind", lag=3)], max_lag=3) == "behind"
    assert choose("stuck", [stuck], max_lag=3) == "stuck"
    assert choose(None, [stuck, candidate("good")], max_lag=3) == "good"
    assert best([stuck, candidate("slow", latency=9.0)], 3) == "slow"


def test_unusable_provider_is_replaced() -> None:
    assert choose("gone", [candidate("a")], max_lag=3) == "a"
    assert choose("gone", [], max_lag=3) is None


def test_first_choice_is_the_first_provider_that_keeps_up() -> None:
    found = [candidate("behind", lag=4), candidate("slow", latency=9.0), candidate("quick")]

    assert choose(None, found, max_lag=3) == "slow"


def test_configured_order_decides_between_equal_providers() -> None:
    assert choose("gone", [candidate("b"), candidate("a")], max_lag=3) == "b"


def test_lag_weighs_more_than_errors_and_errors_more_than_latency() -> None:
    lagging = candidate("lagging", lag=5, latency=0.0)
    failing = candidate("failing", error_rate=0.5, latency=0.0)
    slow = candidate("slow", latency=5.0)

    assert best([lagging, failing, slow], 3) == "slow"
    assert best([lagging, failing, slow], 3, exclude=["slow"]) == "failing"
    assert best([lagging], 3) == "lagging"


@given(candidates, st.sampled_from("abcdef"), st.integers(0, 10))
def test_choice_is_stable(found: list[Candidate], active: str, max_lag: int) -> None:
    chosen = choose(active, found, max_lag)

    assert (chosen is None) == (not found)
    assert choose(chosen, found, max_lag) == chosen


@given(candidates, st.sampled_from("abcdef"), st.integers(0, 10))
def test_lagging_provider_is_chosen_only_when_all_lag(
    found: list[Candidate], active: str, max_lag: int
) -> None:
    chosen = choose(active, found, max_lag)

    lags = {candidate.name: candidate.lag for candidate in found}
    assert chosen is None or lags[chosen] <= max_lag or min(lags.values()) > max_lag


@pytest.mark.parametrize(
    ("heads", "expected"),
    [([], None), ([7], 7), ([7, 9], 9), ([7, 9, 9], 9), ([7, 8, 2**50], 8)],
)
def test_single_highest_head_of_three_is_ignored(heads: list[int], expected: int | None) -> None:
    assert best_head(heads) == expected


def holding(
    name: str,
    chain: str | None,
    *,
    lag: int = 0,
    side_since: float = 0.0,
    head_at: float = 10.0,
) -> Candidate:
    return Candidate(name, lag, 0.0, 0.1, chain, side_since, head_at)


def test_majority_needs_at_least_two_providers() -> None:
    alone = holding("a", "x")
    others = [holding("b", FOLLOWED_CHAIN), holding("c", FOLLOWED_CHAIN)]

    assert majority([alone]) == ()
    assert majority([alone, *others]) == others
    assert majority([alone, *others, holding("d", None)]) == ()


LARGE_LAG = 50


@pytest.mark.parametrize(
    ("active", "found", "expected"),
    [
        # A strict majority of two or more holds one chain: the best of its members.
        ("a", [("a", FOLLOWED_CHAIN), ("b", "x"), ("c", "x")], "b"),
        ("a", [("a", "x"), ("b", FOLLOWED_CHAIN), ("c", FOLLOWED_CHAIN)], "b"),
        ("a", [("a", "x"), ("b", "y"), ("c", "y")], "b"),
        ("a", [("a", None), ("b", "x"), ("c", "x")], "b"),
        ("gone", [("a", "x"), ("b", FOLLOWED_CHAIN), ("c", FOLLOWED_CHAIN)], "b"),
        (None, [("a", "x"), ("b", FOLLOWED_CHAIN), ("c", FOLLOWED_CHAIN)], "b"),
        # The active provider is in the majority.
        ("a", [("a", FOLLOWED_CHAIN), ("b", FOLLOWED_CHAIN), ("c", "x")], "a"),
        ("a", [("a", "x"), ("b", "x"), ("c", FOLLOWED_CHAIN)], "a"),
        # The active provider can be in the majority.
        ("a", [("a", None), ("b", FOLLOWED_CHAIN), ("c", FOLLOWED_CHAIN)], "a"),
        # No strict majority, or a single provider: no switch between chains.
        ("a", [("a", FOLLOWED_CHAIN), ("b", "x")], "a"),
        ("a", [("a", "x"), ("b", FOLLOWED_CHAIN)], "a"),
        ("a", [("a", FOLLOWED_CHAIN), ("b", "x"), ("c", "y")], "a"),
        ("a", [("a", FOLLOWED_CHAIN), ("b", FOLLOWED_CHAIN), ("c", "x"), ("d", "x")], "a"),
        ("c", [("a", FOLLOWED_CHAIN), ("b", FOLLOWED_CHAIN), ("c", "x"), ("d", "x")], "c"),
        ("a", [("a", FOLLOWED_CHAIN), ("b", "x"), ("c", "x"), ("d", None)], "a"),
        # The active provider is gone, without a majority: the followed chain first, then any.
        ("gone", [("a", "x"), ("b", FOLLOWED_CHAIN)], "b"),
        ("gone", [("a", "x"), ("b", None)], "b"),
        ("gone", [("a", "x")], "a"),
    ],
)
def test_majority_chain_is_followed(
    active: str | None, found: list[tuple[str, str | None]], expected: str
) -> None:
    candidates = [holding(name, chain) for name, chain in found]

    assert choose(active, candidates, max_lag=3) == expected


@pytest.mark.parametrize("active", ["a", "b", "gone", None])
def test_height_does_not_decide_between_chains(active: str | None) -> None:
    lagging = [holding(name, FOLLOWED_CHAIN, lag=LARGE_LAG) for name in "ab"]

    assert choose(active, [*lagging, holding("ahead", "x")], max_lag=3) in ("a", "b")


def test_height_does_not_decide_between_two_providers_that_disagree() -> None:
    found = [holding("a", FOLLOWED_CHAIN, lag=LARGE_LAG), holding("b", "x")]

    assert choose("a", found, max_lag=3) == "a"


def test_height_decides_within_the_majority_chain() -> None:
    found = [holding("a", FOLLOWED_CHAIN, lag=4), holding("b", FOLLOWED_CHAIN), holding("c", "x")]

    assert choose("a", found, max_lag=3) == "b"


@pytest.mark.parametrize(
    ("side_since", "head_at", "expected"),
    [
        (5.0, 6.0, "b"),  # all heads are from after the last change of side
        (5.0, 5.9, "a"),  # a head can be from before the reorganisation
        (10.0, 10.0, "a"),
    ],
)
def test_spreading_reorganisation_does_not_look_like_a_minority(
    side_since: float, head_at: float, expected: str
) -> None:
    first = holding("a", "x", side_since=side_since, head_at=10.0)
    others = [
        holding("b", FOLLOWED_CHAIN, head_at=head_at),
        holding("c", FOLLOWED_CHAIN, head_at=head_at),
    ]

    assert choose("a", [first, *others], max_lag=3, settle=1.0) == expected


chains = st.sampled_from([FOLLOWED_CHAIN, "x", "y", None])
holders = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdef"),
        st.integers(0, 20),
        st.floats(0, 1),
        st.floats(0, 10),
        chains,
        st.floats(0, 10),
        st.floats(0, 10),
    ),
    max_size=6,
    unique_by=lambda candidate: candidate.name,
)


@given(holders, st.sampled_from("abcdef"), st.integers(0, 10))
def test_choice_between_chains_is_stable(found: list[Candidate], active: str, max_lag: int) -> None:
    chosen = choose(active, found, max_lag)
    again = choose(chosen, found, max_lag)

    assert (chosen is None) == (not found)
    assert choose(again, found, max_lag) == again


@given(holders, st.sampled_from("abcdef"), st.integers(0, 10))
def test_only_a_majority_moves_from_a_usable_provider_to_another_chain(
    found: list[Candidate], active: str, max_lag: int
) -> None:
    by_name = {candidate.name: candidate for candidate in found}
    chosen = choose(active, found, max_lag)

    if active in by_name and chosen is not None and by_name[active].chain is not None:
        chain = by_name[chosen].chain
        votes = sum(candidate.chain == chain for candidate in found)
        changed = chain not in (None, by_name[active].chain)
        assert not changed or (votes >= 2 and 2 * votes > len(found))
