"""The budget of requests per block, and the questions that can wait."""

from itertools import pairwise

import pytest

from transaction_tracker.follower.budget import Budget


@pytest.mark.parametrize(("requests", "room"), [(2, True), (3, True), (4, False), (60, False)])
def test_cheap_block_has_room_for_a_batch(requests: int, room: bool) -> None:
    assert Budget().poll(requests, is_new=True) is room


@pytest.mark.parametrize(("idle_polls", "room"), [(0, True), (1, False), (2, False)])
def test_polls_without_a_block_count_towards_the_next_block(idle_polls: int, room: bool) -> None:
    budget = Budget()
    for _ in range(idle_polls):
        assert not budget.poll(1, is_new=False)

    assert budget.poll(3, is_new=True) is room


def test_excess_requests_reduce_the_room_of_later_blocks() -> None:
    budget = Budget()
    budget.poll(6, is_new=True)

    assert [budget.poll(3, is_new=True) for _ in range(4)] == [False, False, True, True]


def test_excess_of_a_deep_reorganisation_is_limited() -> None:
    budget = Budget()
    budget.poll(130, is_new=True)

    assert [budget.poll(3, is_new=True) for _ in range(6)] == [False] * 4 + [True] * 2


def test_there_is_room_every_24_polls_without_a_block() -> None:
    budget = Budget()

    rooms = [budget.poll(1, is_new=False) for _ in range(72)]

    assert [number for number, room in enumerate(rooms, start=1) if room] == [24, 48, 72]


def test_expensive_blocks_leave_room_every_24_polls() -> None:
    budget = Budget()

    assert [budget.poll(9, is_new=True) for _ in range(24)] == [False] * 23 + [True]


def test_requests_for_questions_count_towards_the_next_block() -> None:
    budget = Budget()
    assert budget.poll(2, is_new=True)

    # Two for the block, and four for the questions after the last poll.
    assert not budget.poll(2 + 4, is_new=True)
    assert [budget.poll(1, is_new=True) for _ in range(2)] == [True, True]


def test_each_fourth_batch_is_left_to_questions_without_a_deadline() -> None:
    budget = Budget()

    assert [budget.for_deadlines(room=True) for _ in range(5)] == [True, True, True, False, True]


def test_two_batches_about_deadlines_need_no_room() -> None:
    budget = Budget()

    assert [budget.for_deadlines(room=False) for _ in range(4)] == [True, True, False, False]
    for _ in range(48):
        budget.poll(9, is_new=True)
    assert [budget.for_deadlines(room=False) for _ in range(4)] == [True, True, False, False]


def test_deadlines_wait_for_at_most_24_polls() -> None:
    budget = Budget()

    asked = []
    for number in range(1, 97):
        room = budget.poll(9, is_new=True)
        if budget.for_deadlines(room=room):
            asked.append(number)

    waits = [after - before for before, after in pairwise(asked)]
    assert max(waits) <= 24
    assert len(asked) <= 2 + 2 * 4


def test_deadlines_wait_for_four_polls_while_no_block_arrives() -> None:
    budget = Budget()
    assert [budget.for_deadlines(room=False) for _ in range(3)] == [True, True, False]

    for _ in range(3):
        budget.poll(1, is_new=False)
    assert not budget.for_deadlines(room=False)
    budget.poll(1, is_new=False)
    assert budget.for_deadlines(room=False)
    assert not budget.for_deadlines(room=False)
