"""What a block may cost, and questions that can wait."""

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
    budget.spend(4)

    assert [budget.look(2, is_new=True) for _ in range(3)] == [False, True, True]
