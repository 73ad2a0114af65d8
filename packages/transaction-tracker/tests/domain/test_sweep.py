from transaction_tracker.domain import Sweep


def test_new_ones_come_first_come_first_served() -> None:
    sweep = Sweep()
    for name in ("a", "b", "c"):
        sweep.add_fresh(name)

    assert sweep.take_fresh(0.0, limit=2) == ["a", "b"]
    assert sweep.take_fresh(0.0, limit=2) == ["c"]
    assert sweep.take_fresh(0.0, limit=2) == []


def test_one_that_was_asked_about_comes_again_later_and_ever_later() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.take_fresh(0.0, limit=9)

    assert sweep.take_due(0.9, limit=9) == []
    assert sweep.take_due(1.0, limit=9) == ["a"]
    assert sweep.take_due(2.9, limit=9) == []
    assert sweep.take_due(3.0, limit=9) == ["a"]
    assert sweep.take_due(6.9, limit=9) == []


def test_nothing_waits_longer_than_the_longest_delay() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)

    now = 0.0
    for _ in range(20):
        now += 300.0
        assert sweep.take_due(now, limit=9) == ["a"]


def test_delays_can_be_others() -> None:
    sweep = Sweep(first_delay=10.0, longest_delay=15.0)
    sweep.add_fresh("a")
    sweep.take_fresh(0.0, limit=9)

    assert sweep.take_due(9.9, limit=9) == []
    assert sweep.take_due(10.0, limit=9) == ["a"]
    assert sweep.take_due(24.9, limit=9) == []
    assert sweep.take_due(25.0, limit=9) == ["a"]
    sweep.again("a", 30.0)
    assert sweep.take_due(39.9, limit=9) == []
    assert sweep.take_due(40.0, limit=9) == ["a"]


def test_one_that_is_new_twice_is_asked_about_once() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.add_fresh("a")

    assert sweep.take_fresh(0.0, limit=1) == ["a"]
    assert not sweep.has_fresh


def test_the_longest_waiting_come_first_and_only_so_many() -> None:
    sweep = Sweep()
    for time, name in enumerate(("a", "b", "c")):
        sweep.add(name, float(time))

    assert sweep.take_due(5.0, limit=2) == ["a", "b"]
    assert sweep.take_due(5.0, limit=2) == ["c"]


def test_one_that_is_forgotten_never_comes() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.add("b", 0.0)

    sweep.forget("a")
    sweep.forget("b")

    assert sweep.take_fresh(0.0, limit=9) == sweep.take_due(9.0, limit=9) == []
    assert len(sweep) == 0


def test_adding_again_keeps_the_turn() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)
    sweep.take_due(0.0, limit=9)

    sweep.add("a", 0.5)

    assert sweep.take_due(0.6, limit=9) == []


def test_one_that_is_fresh_again_is_asked_about_once() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)
    sweep.add_fresh("a")
    sweep.add_fresh("a")

    assert sweep.take_due(0.0, limit=9) == []
    assert sweep.take_fresh(0.0, limit=9) == ["a"]
    assert sweep.take_fresh(0.0, limit=9) == []
