"""A single provider is believed about an old block after repeated answers."""

from transaction_tracker.domain import BlockRef, Policy, Sighting
from transaction_tracker.follower import old_blocks
from transaction_tracker.follower.old_blocks import RepeatedBlocks
from transaction_tracker.sources import Contained

BLOCK, OTHER = BlockRef(7, "0x7"), BlockRef(8, "0x8")
TOLD, DENIED = Contained(unconfirmed=frozenset({BLOCK})), Contained(denied=frozenset({BLOCK}))
POLICY = Policy(drop_blocks=5, drop_seconds=60.0)


def believed(blocks: RepeatedBlocks, found: Contained, *times: tuple[int, float]) -> list[bool]:
    return [BLOCK in blocks.believed(found, Sighting(*time)) for time in times]


def test_answer_must_be_repeated_over_blocks_and_seconds() -> None:
    answers = believed(
        RepeatedBlocks(POLICY), TOLD, (100, 0.0), (101, 60.0), (105, 59.0), (105, 60.0), (106, 70.0)
    )

    assert answers == [False, False, False, True, True]


def test_three_answers_are_needed_at_any_interval() -> None:
    assert believed(RepeatedBlocks(POLICY), TOLD, (100, 0.0), (200, 600.0), (201, 601.0)) == [
        False,
        False,
        True,
    ]
    at_once = RepeatedBlocks(Policy(drop_blocks=0, drop_seconds=0.0))
    assert believed(at_once, TOLD, *[(100, 0.0)] * 3) == [False, False, True]


def test_proven_block_is_believed_at_once_and_denied_block_starts_again() -> None:
    blocks = RepeatedBlocks(POLICY)
    proven = Contained(proven=frozenset({OTHER}), unconfirmed=frozenset({BLOCK}))
    assert blocks.believed(proven, Sighting(100, 0.0)) == {OTHER}
    believed(blocks, TOLD, (101, 10.0), (102, 20.0))

    assert blocks.believed(DENIED, Sighting(105, 60.0)) == set()
    assert believed(blocks, TOLD, (106, 70.0), (107, 80.0), (111, 130.0)) == [False, False, True]


def test_missing_answer_changes_nothing_and_another_chain_starts_again() -> None:
    blocks = RepeatedBlocks(POLICY)
    believed(blocks, TOLD, (100, 0.0), (101, 10.0))
    believed(blocks, Contained(), (102, 20.0))
    assert believed(blocks, TOLD, (105, 60.0)) == [True]

    blocks.clear()

    assert believed(blocks, TOLD, (106, 70.0)) == [False]


def test_number_of_blocks_is_limited() -> None:
    blocks = RepeatedBlocks(POLICY)
    many = frozenset(BlockRef(number, "0x") for number in range(old_blocks.MAX_BLOCKS + 10))

    blocks.believed(Contained(unconfirmed=many), Sighting(1, 0.0))

    assert len(blocks._answers) == old_blocks.MAX_BLOCKS
