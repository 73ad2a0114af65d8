"""Learning when the next block is due: what it saves, and what it must not cost."""

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.follower.block_time import BlockTime

POLL = 1.0


def polling(
    arrivals: Iterable[float],
    poll: float = POLL,
    *,
    answer: float = 0.0,
    work: float = 0.0,
    busy: float = 0.0,
) -> tuple[int, list[float]]:
    """Ask for the head until all blocks are found.

    Args:
        arrivals: When each block comes.
        poll: Seconds between questions.
        answer: Seconds from a question to its answer.
        work: Seconds that a block takes once it was found.
        busy: Seconds by which each question is sent too late.

    Returns:
        How many questions there were, and how late each block was found.
    """
    block_time, blocks = BlockTime(poll), sorted(arrivals)
    now, questions, late = blocks[0], 0, list[float]()
    while len(late) < len(blocks):
        questions += 1
        asked_at, now = now, now + answer
        found = [at for at in blocks[len(late) :] if at <= now]
        late += [now - at for at in found]
        now += work * len(found)
        block_time.found(len(late), asked_at, announced=False)
        now += block_time.delay(now) + busy
    return questions, late


def regular(seconds: float, blocks: int, jitter: float = 0.0) -> Iterator[float]:
    spread = random.Random(7)
    return (seconds * number + spread.uniform(0, jitter) for number in range(blocks))


@given(st.floats(2.0, 15.0), st.floats(0.1, 1.0))
def test_a_block_of_a_regular_chain_is_found_about_one_interval_after_its_coming(
    seconds: float, poll: float
) -> None:
    _, late = polling(regular(seconds, 100), poll)

    assert max(late) <= poll * 1.5


@given(st.floats(8.0, 15.0), st.floats(0.0, 0.4), st.floats(0.0, 1.0), st.floats(0.0, 0.3))
def test_what_answers_and_blocks_take_does_not_add_up(
    seconds: float, answer: float, work: float, busy: float
) -> None:
    _, late = polling(regular(seconds, 300), answer=answer, work=work, busy=busy)

    assert max(late) <= 1.5 * POLL + answer + 2 * busy


def test_a_regular_chain_is_asked_about_twice_a_block() -> None:
    questions, _ = polling(regular(12.0, 1000))

    assert questions < 2_100


def test_blocks_that_come_a_little_late_and_slots_that_stay_empty_change_little() -> None:
    blocks = [at for at in regular(12.0, 1000, jitter=0.5) if random.Random(at).random() > 0.02]

    questions, late = polling(blocks)

    assert questions < 3 * len(blocks)
    assert sum(late) / len(late) < POLL


def test_where_blocks_come_as_they_like_nothing_is_skipped() -> None:
    gaps = itertools.cycle([0.5, 14.0, 3.0, 8.0, 1.5])
    blocks = list(itertools.accumulate(next(gaps) for _ in range(200)))

    questions, late = polling(blocks)

    assert max(late) <= POLL
    assert questions > blocks[-1] / POLL - 1


def test_the_first_few_gaps_say_nothing_yet() -> None:
    block_time = BlockTime(POLL)

    for number in range(5):
        block_time.found(number, 12.0 * number, announced=False)
        assert block_time.delay(12.0 * number) == POLL


def test_a_chain_that_is_faster_than_the_questions_is_asked_as_often_as_ever() -> None:
    questions, _ = polling(regular(0.25, 1000))

    assert questions == pytest.approx(250, rel=0.01)


def learned(*, announced: bool) -> tuple[BlockTime, float]:
    """Ten blocks, each of which was there at the second look."""
    block_time = BlockTime(POLL)
    for number in range(10):
        block_time.found(number - 1, 12.0 * number - POLL, announced=False)
        block_time.found(number, 12.0 * number, announced=announced)
    return block_time, 12.0 * 9


def test_where_blocks_are_announced_only_a_lost_announcement_is_waited_for() -> None:
    block_time, now = learned(announced=True)

    assert block_time.delay(now) == 12.0 + POLL


def test_an_announcement_that_comes_after_the_block_was_found_counts_too() -> None:
    block_time, now = learned(announced=False)
    assert block_time.delay(now) == 12.0 - POLL / 8

    block_time.found(9, now + 0.1, announced=True)

    assert block_time.delay(now) == 12.0 + POLL


def test_a_block_that_does_not_come_is_asked_for_at_every_interval() -> None:
    block_time, now = learned(announced=False)

    assert block_time.delay(now + 11.5) == POLL
    assert block_time.delay(now + 20.0) == POLL


def test_a_block_that_was_there_at_the_first_look_may_have_been_there_for_long() -> None:
    block_time, now = learned(announced=False)

    block_time.found(10, now + 12.0, announced=False)

    assert block_time.delay(now + 12.0) == 12.0 - POLL


def test_a_block_that_was_found_late_changes_nothing_for_those_after_it() -> None:
    block_time, now = learned(announced=False)

    block_time.found(10, now + 17.0, announced=False)
    block_time.found(11, now + 24.0, announced=False)

    assert block_time.delay(now + 24.0) == 12.0 - POLL


def test_a_head_that_went_back_is_no_gap() -> None:
    block_time, now = learned(announced=False)

    block_time.found(8, now + 0.1, announced=False)
    block_time.found(9, now + 12.1, announced=False)

    assert block_time.delay(now + 12.1) == pytest.approx(12.0 - POLL)


def test_somebody_waits_to_hear_that_the_source_answers() -> None:
    block_time = BlockTime(POLL)
    for number in range(10):
        block_time.found(number, 600.0 * number, announced=False)

    assert block_time.delay(5_400.0) <= 15.0
