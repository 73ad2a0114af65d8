"""Learning the interval between blocks: requests saved, and delays that must not occur."""

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
    """Request the head until all blocks are found.

    Args:
        arrivals: When each block arrives.
        poll: Seconds between requests.
        answer: Seconds from a request to its response.
        work: Seconds of work for each block that is found.
        busy: Seconds by which each request is sent too late.

    Returns:
        The number of requests, and the seconds from each block's arrival to its response.
    """
    block_time, blocks = BlockTime(poll), sorted(arrivals)
    now, requests, late = blocks[0], 0, list[float]()
    while len(late) < len(blocks):
        requests += 1
        asked_at, now = now, now + answer
        found = [at for at in blocks[len(late) :] if at <= now]
        late += [now - at for at in found]
        now += work * len(found)
        block_time.found(len(late), asked_at, announced=False)
        now += block_time.delay(now) + busy
    return requests, late


def regular(seconds: float, blocks: int, jitter: float = 0.0) -> Iterator[float]:
    spread = random.Random(7)
    return (seconds * number + spread.uniform(0, jitter) for number in range(blocks))


@given(st.floats(2.0, 15.0), st.floats(0.1, 1.0))
def test_block_of_a_regular_chain_is_found_within_one_and_a_half_poll_intervals(
    seconds: float, poll: float
) -> None:
    _, late = polling(regular(seconds, 100), poll)

    assert max(late) <= poll * 1.5


@given(st.floats(8.0, 15.0), st.floats(0.0, 0.4), st.floats(0.0, 1.0), st.floats(0.0, 0.3))
def test_time_for_responses_and_blocks_does_not_accumulate(
    seconds: float, answer: float, work: float, busy: float
) -> None:
    _, late = polling(regular(seconds, 300), answer=answer, work=work, busy=busy)

    assert max(late) <= 1.5 * POLL + answer + 2 * busy


def test_regular_chain_costs_about_two_requests_per_block() -> None:
    requests, _ = polling(regular(12.0, 1000))

    assert requests < 2_100


def test_slightly_late_blocks_and_empty_slots_add_few_requests() -> None:
    blocks = [at for at in regular(12.0, 1000, jitter=0.5) if random.Random(at).random() > 0.02]

    requests, late = polling(blocks)

    assert requests < 3 * len(blocks)
    assert sum(late) / len(late) < POLL


def test_irregular_chain_is_polled_at_every_interval() -> None:
    gaps = itertools.cycle([0.5, 14.0, 3.0, 8.0, 1.5])
    blocks = list(itertools.accumulate(next(gaps) for _ in range(200)))

    requests, late = polling(blocks)

    assert max(late) <= POLL
    assert requests > blocks[-1] / POLL - 1


def test_first_five_blocks_are_polled_at_every_interval() -> None:
    block_time = BlockTime(POLL)

    for number in range(5):
        block_time.found(number, 12.0 * number, announced=False)
        assert block_time.delay(12.0 * number) == POLL


def test_chain_faster_than_the_polls_is_polled_at_every_interval() -> None:
    requests, _ = polling(regular(0.25, 1000))

    assert requests == pytest.approx(250, rel=0.01)


def learned(*, announced: bool) -> tuple[BlockTime, float]:
    """Return a chain of ten blocks, each found by the second poll, and the current time."""
    block_time = BlockTime(POLL)
    for number in range(10):
        block_time.found(number - 1, 12.0 * number - POLL, announced=False)
        block_time.found(number, 12.0 * number, announced=announced)
    return block_time, 12.0 * 9


def test_announced_chain_is_polled_only_after_a_block_is_overdue() -> None:
    block_time, now = learned(announced=True)

    assert block_time.delay(now) == 12.0 + POLL


def test_announcement_after_the_block_was_found_counts() -> None:
    block_time, now = learned(announced=False)
    assert block_time.delay(now) == 12.0 - POLL / 8

    block_time.found(9, now + 0.1, announced=True)

    assert block_time.delay(now) == 12.0 + POLL


def test_overdue_block_is_requested_at_every_interval() -> None:
    block_time, now = learned(announced=False)

    assert block_time.delay(now + 11.5) == POLL
    assert block_time.delay(now + 20.0) == POLL


def test_block_found_by_the_first_poll_can_have_arrived_a_poll_interval_earlier() -> None:
    block_time, now = learned(announced=False)

    block_time.found(10, now + 12.0, announced=False)

    assert block_time.delay(now + 12.0) == 12.0 - POLL


def test_block_found_late_does_not_change_the_learned_interval() -> None:
    block_time, now = learned(announced=False)

    block_time.found(10, now + 17.0, announced=False)
    block_time.found(11, now + 24.0, announced=False)

    assert block_time.delay(now + 24.0) == 12.0 - POLL


def test_head_that_went_back_is_not_counted_as_a_gap() -> None:
    block_time, now = learned(announced=False)

    block_time.found(8, now + 0.1, announced=False)
    block_time.found(9, now + 12.1, announced=False)

    assert block_time.delay(now + 12.1) == pytest.approx(12.0 - POLL)


def test_delay_between_requests_is_at_most_fifteen_seconds() -> None:
    block_time = BlockTime(POLL)
    for number in range(10):
        block_time.found(number, 600.0 * number, announced=False)

    assert block_time.delay(5_400.0) <= 15.0
