from msgspec.structs import replace

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

    deadlines.ask_again("tx", 100.0, 15.0)

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


def test_retry_is_counted_from_now_when_the_clock_is_set_back() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    for ahead in (9_000.0, 9_015.0):
        assert deadlines.take_due(ahead, 10) == ["tx"]
        deadlines.ask_again("tx", ahead, 15.0)

    assert deadlines.take_due(50.0, 10) == []
    assert deadlines.take_due(99.0, 10) == []  # the deadline counts again
    assert deadlines.is_due(100.0)
    assert deadlines.take_due(100.0, 10) == ["tx"]

    deadlines.ask_again("tx", 9_000.0, 15.0)
    assert not deadlines.is_due(9_000.0)
    assert not deadlines.is_due(200.0)
    assert deadlines.is_due(215.0)
    deadlines.forget("tx")
    assert not deadlines.is_due(100.0)
    assert not deadlines.is_due(1_000.0)
