from dataclasses import replace

from transaction_tracker.domain import BlockRef, Deadlines, Tracked

WAITING = Tracked("tx", required=3, state="pending", deadline=100.0)


def test_deadline_is_returned_once_when_it_has_passed() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(replace(WAITING, id="later", deadline=200.0))

    assert deadlines.take_due(99.0, 10) == []
    assert deadlines.take_due(100.0, 10) == ["tx"]
    assert deadlines.take_due(150.0, 10) == []


def test_mined_transaction_has_no_deadline_until_its_block_is_undone() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(replace(WAITING, state="mined", anchor=BlockRef(1, "one")))

    assert deadlines.take_due(100.0, 10) == []

    deadlines.note(WAITING)

    assert deadlines.take_due(100.0, 10) == ["tx"]


def test_deadline_can_be_made_due_again() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.take_due(100.0, 10)

    deadlines.ask_again("tx", 115.0)

    assert deadlines.take_due(114.0, 10) == []
    assert deadlines.take_due(115.0, 10) == ["tx"]


def test_deadlines_over_the_limit_are_returned_by_the_next_call() -> None:
    deadlines = Deadlines()
    for number in range(5):
        deadlines.note(replace(WAITING, id=str(number), deadline=float(number)))

    assert deadlines.take_due(100.0, 3) == ["0", "1", "2"]
    assert deadlines.take_due(100.0, 3) == ["3", "4"]


def test_deadline_is_tracked_once_and_not_after_removal() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(WAITING)
    deadlines.forget("tx")

    assert len(deadlines) == 0
    assert deadlines.take_due(100.0, 10) == []
