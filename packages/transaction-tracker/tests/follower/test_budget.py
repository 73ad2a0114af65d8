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
    assert budget.look(3, is_new=True)


def test_while_no_block_comes_every_tenth_look_has_room() -> None:
    budget = Budget()

    rooms = [budget.look(1, is_new=False) for _ in range(30)]

    assert [number for number, room in enumerate(rooms, start=1) if room] == [10, 20, 30]


def test_blocks_that_cost_much_for_long_do_not_let_them_wait_for_ever() -> None:
    budget = Budget()

    assert [budget.look(9, is_new=True) for _ in range(10)] == [False] * 9 + [True]
