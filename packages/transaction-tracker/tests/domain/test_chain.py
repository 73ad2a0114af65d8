import pytest

from transaction_tracker.domain import BlockRef, BrokenChainError, KeptChain, Link


def links(*names: str, above: str = "root", first: int = 1) -> list[Link]:
    """Return blocks with these hashes, each the child of the one before."""
    parents = (above, *names)
    return [
        Link(first + index, name, parent)
        for index, (name, parent) in enumerate(zip(names, parents, strict=False))
    ]


def chain(*names: str, keep: int = 10) -> KeptChain:
    return KeptChain.of(keep, links(*names))


def test_pushed_block_is_the_tip() -> None:
    grown = chain("a", "b").push(Link(3, "c", "b"))

    assert grown.tip == Link(3, "c", "b")
    assert grown.holds(BlockRef(2, "b"))


def test_pushing_a_block_of_another_branch_raises() -> None:
    with pytest.raises(BrokenChainError, match="expected a child of"):
        chain("a", "b").push(Link(3, "c", "x"))


def test_unlinked_blocks_raise() -> None:
    with pytest.raises(BrokenChainError):
        KeptChain.of(10, [Link(1, "a", "root"), Link(3, "c", "b")])


def test_only_the_highest_blocks_are_kept_up_to_the_limit() -> None:
    kept = chain("a", "b", "c", keep=3).push(Link(4, "d", "c"))

    assert kept.bottom == Link(2, "b", "a")
    assert not kept.holds(BlockRef(1, "a"))


def test_pop_removes_the_tip() -> None:
    assert chain("a", "b").pop() == chain("a")


def test_confirmations_count_the_block_itself() -> None:
    assert chain("a", "b", "c").confirmations(BlockRef(3, "c")) == 1
    assert chain("a", "b", "c").confirmations(BlockRef(1, "a")) == 3


def test_block_of_another_branch_has_no_confirmations() -> None:
    assert chain("a", "b", "c").confirmations(BlockRef(2, "x")) == 0
    assert chain("a", "b", "c").confirmations(BlockRef(4, "d")) == 0


def test_block_below_the_kept_ones_has_confirmations() -> None:
    assert chain("a", "b", "c", "d", keep=2).confirmations(BlockRef(1, "a")) == 4


def test_empty_chain_has_no_confirmations() -> None:
    assert KeptChain(10).confirmations(BlockRef(1, "a")) == 0
    assert (KeptChain(10).tip, KeptChain(10).at(1)) == (None, None)


def test_fork_on_the_tip_undoes_no_block() -> None:
    path = links("c", "d", above="b", first=3)

    fork = chain("a", "b").fork(BlockRef(2, "b"), path)

    assert (fork.undo, fork.apply) == ((), tuple(path))


def test_fork_undoes_from_the_top_down_to_the_fork_point() -> None:
    path = links("x", "y", "z", above="a", first=2)

    fork = chain("a", "b", "c").fork(BlockRef(1, "a"), path)

    assert [link.hash for link in fork.undo] == ["c", "b"]
    assert fork.apply == tuple(path)


def test_fork_can_be_shorter_than_the_undone_branch() -> None:
    path = links("x", above="a", first=2)

    fork = chain("a", "b", "c", "d").fork(BlockRef(1, "a"), path)

    assert [link.hash for link in fork.undo] == ["d", "c", "b"]


def test_fork_to_a_kept_block_undoes_the_blocks_above_it() -> None:
    fork = chain("a", "b", "c").fork(BlockRef(2, "b"), [])

    assert ([link.hash for link in fork.undo], fork.apply) == (["c"], ())


def test_fork_below_the_kept_blocks_undoes_all_of_them() -> None:
    path = links("x", "y", above="elsewhere", first=1)

    fork = chain("a", "b").fork(BlockRef(0, "elsewhere"), path)

    assert [link.hash for link in fork.undo] == ["b", "a"]


def test_fork_of_an_empty_chain_undoes_no_block() -> None:
    assert KeptChain(10).fork(BlockRef(0, "root"), links("a")).undo == ()


def test_unlinked_path_raises() -> None:
    with pytest.raises(BrokenChainError):
        chain("a").fork(BlockRef(1, "a"), [Link(2, "b", "a"), Link(3, "c", "x")])


def test_path_that_does_not_start_at_the_root_raises() -> None:
    with pytest.raises(BrokenChainError):
        chain("a").fork(BlockRef(1, "a"), [Link(2, "b", "x")])


# A chain with numbers that have no block (Filecoin's null rounds): 1, 2, 5, 6, 9.
GAPS = KeptChain.of(
    10,
    [
        Link(1, "a", "root"),
        Link(2, "b", "a"),
        Link(5, "e", "b"),
        Link(6, "f", "e"),
        Link(9, "i", "f"),
    ],
)


@pytest.mark.parametrize(
    ("number", "at", "below"),
    [
        (0, None, None),
        (1, "a", "a"),
        (2, "b", "b"),
        (3, None, "b"),
        (4, None, "b"),
        (5, "e", "e"),
        (6, "f", "f"),
        (8, None, "f"),
        (9, "i", "i"),
        (10, None, "i"),
    ],
)
def test_block_is_found_by_number_in_a_chain_with_gaps(
    number: int, at: str | None, below: str | None
) -> None:
    found, lower = GAPS.at(number), GAPS.at_or_below(number)

    assert (found and found.hash, lower and lower.hash) == (at, below)


def test_empty_chain_has_no_block_at_or_below() -> None:
    assert KeptChain(10).at_or_below(7) is None


def test_confirmations_count_skipped_numbers() -> None:
    # As block explorers of such chains count: an epoch without a block has passed as well.
    assert GAPS.confirmations(BlockRef(9, "i")) == 1
    assert GAPS.confirmations(BlockRef(2, "b")) == 8
    assert GAPS.confirmations(BlockRef(3, "b")) == 0


@pytest.mark.parametrize(
    ("root", "undone"),
    [
        (BlockRef(9, "i"), []),
        (BlockRef(6, "f"), ["i"]),
        (BlockRef(2, "b"), ["i", "f", "e"]),
        (BlockRef(1, "a"), ["i", "f", "e", "b"]),
    ],
)
def test_fork_in_a_chain_with_gaps_undoes_the_blocks_above_its_root(
    root: BlockRef, undone: list[str]
) -> None:
    fork = GAPS.fork(root, [Link(root.number + 3, "x", root.hash)])

    assert [link.hash for link in fork.undo] == undone


def test_child_can_skip_numbers_but_must_have_a_higher_one() -> None:
    assert GAPS.push(Link(12, "l", "i")).tip == Link(12, "l", "i")
    for number in (8, 9):
        with pytest.raises(BrokenChainError, match="expected a child of"):
            GAPS.push(Link(number, "l", "i"))
