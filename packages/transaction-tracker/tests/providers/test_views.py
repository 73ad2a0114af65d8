"""Views: which chain a provider holds, by its last blocks."""

import pytest

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.providers.choice import FOLLOWED_CHAIN
from transaction_tracker.providers.views import Side, View, group_by_chain

from .support import chain_to, link_at

CHAIN = chain_to(100, keep=20)  # blocks 81 to 100
FAR = 10**6


def view(head: Link, block: Link | None = None) -> View:
    return View(head, 5.0, block, 5.0)


def other(number: int, fork: int = 90, branch: int = 1) -> Link:
    return link_at(number, branch, fork)


@pytest.mark.parametrize(
    ("head", "block", "side"),
    [
        (link_at(100), None, "same"),
        (link_at(85), None, "same"),  # lower, and on the followed chain
        (link_at(101), None, "same"),  # builds on the followed tip
        (link_at(103), None, "unknown"),
        (link_at(103), link_at(100), "same"),
        (link_at(80), None, "unknown"),  # below the kept blocks
        (link_at(50), None, "unknown"),
        (other(100), None, "other"),
        (other(101), None, "other"),
        (other(91), None, "other"),  # its parent is on the followed chain
        (other(FAR), None, "unknown"),
        (other(FAR), other(100), "other"),
        (other(95), link_at(100), "other"),  # the head is newer
    ],
)
def test_side_of_a_view(head: Link, block: Link | None, side: Side) -> None:
    assert view(head, block).side(CHAIN) == side


def test_side_is_unknown_without_a_followed_chain() -> None:
    assert view(link_at(100)).side(KeptChain(keep=20)) == "unknown"


def test_head_above_the_tip_is_compared_once_the_chain_has_its_height() -> None:
    ahead = view(link_at(103))

    assert ahead.side(CHAIN) == "unknown"
    assert ahead.side(chain_to(103)) == "same"
    assert ahead.side(chain_to(103, branch=1, fork=101)) == "other"


@pytest.mark.parametrize(
    ("found", "agreed", "contradicted"),
    [
        (view(link_at(100)), 100, None),
        (view(link_at(101)), 100, None),
        (view(other(100)), None, 99),
        (view(other(91)), 90, 91),
        (view(link_at(50)), None, None),
        (view(other(FAR), link_at(100)), 100, None),
        # A block that arrived before a head of another chain proves nothing.
        (View(other(100, fork=80), 9.0, link_at(95), 5.0), None, 99),
        (View(other(100, fork=95), 9.0, link_at(95), 9.0), 95, 99),
    ],
)
def test_agreed_and_contradicted_heights(
    found: View, agreed: int | None, contradicted: int | None
) -> None:
    assert (found.agreed_height(CHAIN), found.contradicted_height(CHAIN)) == (agreed, contradicted)


def test_old_parts_of_a_view_are_left_out() -> None:
    both = View(link_at(103), 9.0, link_at(100), 5.0)

    assert both.since(5.0) == both
    assert both.since(6.0) == View(link_at(103), 9.0)
    assert both.since(9.5) is None


def test_providers_with_a_block_in_common_are_one_group() -> None:
    views = {
        "a": view(link_at(100)),
        "b": view(other(FAR), other(98)),
        "c": view(other(99)),  # its parent is b's block
        "d": view(other(100, branch=2)),
        "e": view(link_at(103)),
        "f": None,
    }

    assert group_by_chain(views, CHAIN) == {
        "a": FOLLOWED_CHAIN,
        "b": "b",
        "c": "b",
        "d": "d",
        "e": None,
        "f": None,
    }


def test_groups_are_joined_by_a_provider_that_shares_with_both() -> None:
    views = {
        "a": view(other(95)),
        "b": view(other(98)),
        "c": view(other(98), other(95)),
        "d": view(other(95)),
    }

    assert group_by_chain(views, CHAIN) == dict.fromkeys("abcd", "a")


def test_children_of_one_followed_block_are_different_groups() -> None:
    views = {"a": view(other(91, branch=1)), "b": view(other(91, branch=2))}

    assert group_by_chain(views, CHAIN) == {"a": "a", "b": "b"}
