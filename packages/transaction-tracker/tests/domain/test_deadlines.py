from dataclasses import replace

from transaction_tracker.domain import BlockRef, Deadlines, Tracked

WAITING = Tracked("tx", required=3, state="pending", deadline=100.0)


def test_each_comes_up_once_when_its_time_has_come() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(replace(WAITING, id="later", deadline=200.0))

    assert deadlines.take_due(99.0, 10) == []
    assert deadlines.take_due(100.0, 10) == ["tx"]
    assert deadlines.take_due(150.0, 10) == []


def test_one_that_a_block_took_has_no_deadline_until_the_block_goes() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(replace(WAITING, state="mined", anchor=BlockRef(1, "one")))

    assert deadlines.take_due(100.0, 10) == []

    deadlines.note(WAITING)

    assert deadlines.take_due(100.0, 10) == ["tx"]


def test_one_of_which_nothing_certain_could_be_said_comes_up_again() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.take_due(100.0, 10)

    deadlines.ask_again("tx", 115.0)

    assert deadlines.take_due(114.0, 10) == []
    assert deadlines.take_due(115.0, 10) == ["tx"]


def test_a_limit_leaves_the_rest_for_the_next_time() -> None:
    deadlines = Deadlines()
    for number in range(5):
        deadlines.note(replace(WAITING, id=str(number), deadline=float(number)))

    assert deadlines.take_due(100.0, 3) == ["0", "1", "2"]
    assert deadlines.take_due(100.0, 3) == ["3", "4"]


def test_nobody_is_watched_twice_or_after_being_forgotten() -> None:
    deadlines = Deadlines()
    deadlines.note(WAITING)
    deadlines.note(WAITING)
    deadlines.forget("tx")

    assert len(deadlines) == 0
    assert deadlines.take_due(100.0, 10) == []
