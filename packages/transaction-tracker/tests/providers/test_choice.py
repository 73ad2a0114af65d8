"""Which provider to follow, as a decision."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.providers.choice import OURS, Candidate, best, best_head, choose, majority


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


def test_one_that_is_stuck_is_left_however_few_blocks_it_is_behind() -> None:
    stuck = replace(candidate("stuck", lag=1), stuck=True)

    assert choose("stuck", [stuck, candidate("good")], max_lag=3) == "good"
    assert choose("stuck", [stuck, candidate("behind", lag=3)], max_lag=3) == "behind"
    assert choose("stuck", [stuck], max_lag=3) == "stuck"
    assert choose(None, [stuck, candidate("good")], max_lag=3) == "good"
    assert best([stuck, candidate("slow", latency=9.0)], 3) == "slow"


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


def holding(
    name: str, chain: str | None, *, lag: int = 0, since: float = 0.0, seen: float = 10.0
) -> Candidate:
    return Candidate(name, lag, 0.0, 0.1, chain, since, seen)


def test_a_majority_is_two_or_more() -> None:
    alone = holding("a", "x")
    others = [holding("b", OURS), holding("c", OURS)]

    assert majority([alone]) == ()
    assert majority([alone, *others]) == others
    assert majority([alone, *others, holding("d", None)]) == ()


BOASTING = 50


@pytest.mark.parametrize(
    ("active", "found", "expected"),
    [
        # A strict majority of two or more holds one chain: the best of its members.
        ("a", [("a", OURS), ("b", "x"), ("c", "x")], "b"),
        ("a", [("a", "x"), ("b", OURS), ("c", OURS)], "b"),
        ("a", [("a", "x"), ("b", "y"), ("c", "y")], "b"),
        ("a", [("a", None), ("b", "x"), ("c", "x")], "b"),
        ("gone", [("a", "x"), ("b", OURS), ("c", OURS)], "b"),
        (None, [("a", "x"), ("b", OURS), ("c", OURS)], "b"),
        # The active one is in the majority.
        ("a", [("a", OURS), ("b", OURS), ("c", "x")], "a"),
        ("a", [("a", "x"), ("b", "x"), ("c", OURS)], "a"),
        # The active one may be in it.
        ("a", [("a", None), ("b", OURS), ("c", OURS)], "a"),
        # No strict majority, or a single provider: no switch between chains.
        ("a", [("a", OURS), ("b", "x")], "a"),
        ("a", [("a", "x"), ("b", OURS)], "a"),
        ("a", [("a", OURS), ("b", "x"), ("c", "y")], "a"),
        ("a", [("a", OURS), ("b", OURS), ("c", "x"), ("d", "x")], "a"),
        ("c", [("a", OURS), ("b", OURS), ("c", "x"), ("d", "x")], "c"),
        ("a", [("a", OURS), ("b", "x"), ("c", "x"), ("d", None)], "a"),
        # The active one is gone and there is no majority: first our chain, then any.
        ("gone", [("a", "x"), ("b", OURS)], "b"),
        ("gone", [("a", "x"), ("b", None)], "b"),
        ("gone", [("a", "x")], "a"),
    ],
)
def test_the_chain_of_the_majority_is_followed(
    active: str | None, found: list[tuple[str, str | None]], expected: str
) -> None:
    candidates = [holding(name, chain) for name, chain in found]

    assert choose(active, candidates, max_lag=3) == expected


@pytest.mark.parametrize("active", ["a", "b", "gone", None])
def test_height_does_not_decide_between_chains(active: str | None) -> None:
    lagging = [holding(name, OURS, lag=BOASTING) for name in "ab"]

    assert choose(active, [*lagging, holding("boaster", "x")], max_lag=3) in ("a", "b")


def test_height_does_not_decide_between_two_that_disagree() -> None:
    found = [holding("a", OURS, lag=BOASTING), holding("b", "x")]

    assert choose("a", found, max_lag=3) == "a"


def test_height_decides_within_the_chain_of_the_majority() -> None:
    found = [holding("a", OURS, lag=4), holding("b", OURS), holding("c", "x")]

    assert choose("a", found, max_lag=3) == "b"


@pytest.mark.parametrize(
    ("since", "seen", "expected"),
    [
        (5.0, 6.0, "b"),  # all have answered again since
        (5.0, 5.9, "a"),  # an answer may be from before the reorganisation
        (10.0, 10.0, "a"),
    ],
)
def test_a_reorganisation_that_is_spreading_is_not_a_minority(
    since: float, seen: float, expected: str
) -> None:
    first = holding("a", "x", since=since, seen=10.0)
    others = [holding("b", OURS, seen=seen), holding("c", OURS, seen=seen)]

    assert choose("a", [first, *others], max_lag=3, settle=1.0) == expected


chains = st.sampled_from([OURS, "x", "y", None])
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
    unique_by=lambda one: one.name,
)


@given(holders, st.sampled_from("abcdef"), st.integers(0, 10))
def test_the_choice_between_chains_settles(
    found: list[Candidate], active: str, max_lag: int
) -> None:
    chosen = choose(active, found, max_lag)
    again = choose(chosen, found, max_lag)

    assert (chosen is None) == (not found)
    assert choose(again, found, max_lag) == again


@given(holders, st.sampled_from("abcdef"), st.integers(0, 10))
def test_a_usable_provider_is_left_for_another_chain_only_by_a_majority(
    found: list[Candidate], active: str, max_lag: int
) -> None:
    by_name = {one.name: one for one in found}
    chosen = choose(active, found, max_lag)

    if active in by_name and chosen is not None and by_name[active].chain is not None:
        chain = by_name[chosen].chain
        votes = sum(one.chain == chain for one in found)
        changed = chain not in (None, by_name[active].chain)
        assert not changed or (votes >= 2 and 2 * votes > len(found))
