"""What a block may cost, and questions that can wait."""

from itertools import pairwise

import pytest

from transaction_tracker.follower.budget import Budget


@pytest.mark.parametrize(("requests", "room"), [(2, True), (3, True), (4, False), (60, False)])
def test_a_block_that_cost_little_has_room_for_a_batch(requests: int, room: bool) -> None:
    assert Budget().look(requests, is_new=True) is room


@pytest.mark.parametrize(("vain", "room"), [(0, True), (1, False), (2, False)])
def test_looks_that_found_nothing_are_part_of_what_the_block_cost(vain: int, room: bool) -> None:
    budget = Budget()
    for _ in range(vain):
        assert not budget.look(1, is_new=False)

    assert budget.look(3, is_new=True) is room


def test_what_was_too_much_is_made_up_for() -> None:
    budget = Budget()
    budget.look(6, is_new=True)

    assert [budget.look(3, is_new=True) for _ in range(4)] == [False, False, True, True]


def test_a_long_way_back_does_not_keep_questions_waiting_for_long() -> None:
    budget = Budget()
    budget.look(130, is_new=True)

    assert [budget.look(3, is_new=True) for _ in range(6)] == [False] * 4 + [True] * 2


def test_while_no_block_comes_there_is_room_now_and_then() -> None:
    budget = Budget()

    rooms = [budget.look(1, is_new=False) for _ in range(72)]

    assert [number for number, room in enumerate(rooms, start=1) if room] == [24, 48, 72]


def test_blocks_that_cost_much_for_long_do_not_let_them_wait_for_ever() -> None:
    budget = Budget()

    assert [budget.look(9, is_new=True) for _ in range(24)] == [False] * 23 + [True]


def test_questions_that_cost_more_than_one_request_are_made_up_for() -> None:
    budget = Budget()
    assert budget.look(2, is_new=True)

    # Its own two, and four for the questions of the look before.
    assert not budget.look(2 + 4, is_new=True)
    assert [budget.look(1, is_new=True) for _ in range(2)] == [True, True]


def test_deadlines_leave_each_fourth_batch_to_other_questions() -> None:
    budget = Budget()

    assert [budget.for_deadlines(room=True) for _ in range(5)] == [True, True, True, False, True]


def test_a_few_batches_about_deadlines_need_no_room() -> None:
    budget = Budget()

    assert [budget.for_deadlines(room=False) for _ in range(4)] == [True, True, False, False]
    for _ in range(48):
        budget.look(9, is_new=True)
    assert [budget.for_deadlines(room=False) for _ in range(4)] == [True, True, False, False]


def test_deadlines_wait_at_most_for_so_many_looks() -> None:
    budget = Budget()

    asked = []
    for number in range(1, 97):
        room = budget.look(9, is_new=True)
        if budget.for_deadlines(room=room):
            asked.append(number)

    waits = [after - before for before, after in pairwise(asked)]
    assert max(waits) <= 24
    assert len(asked) <= 2 + 2 * 4


def test_deadlines_of_a_chain_that_rests_wait_for_few_looks() -> None:
    budget = Budget()
    assert [budget.for_deadlines(room=False) for _ in range(3)] == [True, True, False]

    for _ in range(3):
        budget.look(1, is_new=False)
    assert not budget.for_deadlines(room=False)
    budget.look(1, is_new=False)
    assert budget.for_deadlines(room=False)
    assert not budget.for_deadlines(room=False)
