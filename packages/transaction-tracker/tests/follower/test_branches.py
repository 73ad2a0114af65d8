"""Branches that were left, and whether they are followed again."""

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.follower.branches import Branches

PATIENCE = 24.0
# Block 1, then two branches.
ROOT = Link(1, "root", "genesis")
OURS = Link(2, "ours-2", "root")
OTHER, NEXT_OTHER = Link(2, "other-2", "root"), Link(3, "other-3", "other-2")


def chain(*links: Link) -> KeptChain:
    return KeptChain.of(10, links)


def left(*links: Link) -> Branches:
    """Return the state after blocks were undone while our own are still shown."""
    branches = Branches()
    branches.applied(ROOT, now=0.0)
    for link in links:
        branches.left(link)
    return branches


def test_branch_that_was_left_for_ours_is_not_followed_again() -> None:
    branches = left(OTHER)

    assert branches.is_left([OTHER], chain(ROOT, OURS), 1.0, PATIENCE)
    assert branches.is_left([NEXT_OTHER], chain(ROOT, OURS), 1.0, PATIENCE)


def test_left_branch_is_followed_once_ours_is_no_longer_shown() -> None:
    branches = left(OTHER)

    assert not branches.is_left([OTHER], chain(ROOT, OURS), PATIENCE, PATIENCE)


def test_block_that_a_lower_head_undid_is_followed_again_at_once() -> None:
    """Nothing of ours is in its place. Otherwise, low heads of the address stop the chain."""
    branches = left(OTHER)

    assert not branches.is_left([OTHER], chain(ROOT), 1.0, PATIENCE)
    assert not branches.is_left([NEXT_OTHER], chain(ROOT), 1.0, PATIENCE)


def test_several_blocks_that_lower_heads_undid_are_followed_again() -> None:
    branches = left(NEXT_OTHER, OTHER)

    assert not branches.is_left([NEXT_OTHER], chain(ROOT), 1.0, PATIENCE)
    assert branches.is_left([NEXT_OTHER], chain(ROOT, OURS), 1.0, PATIENCE)


def test_links_in_a_circle_are_on_a_left_branch() -> None:
    first, second = Link(2, "first", "second"), Link(3, "second", "first")
    branches = left(first, second)

    assert branches.is_left([first], chain(ROOT), 1.0, PATIENCE)
    assert branches.is_left([second], chain(ROOT), 1.0, PATIENCE)
