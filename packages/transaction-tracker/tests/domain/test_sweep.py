import gc

from transaction_tracker.domain import Sweep


def test_new_transactions_are_returned_in_order_of_arrival() -> None:
    sweep = Sweep()
    for name in ("a", "b", "c"):
        sweep.add_fresh(name)

    assert sweep.take_fresh(0.0, limit=2) == ["a", "b"]
    assert sweep.take_fresh(0.0, limit=2) == ["c"]
    assert sweep.take_fresh(0.0, limit=2) == []


def test_delay_doubles_after_each_question() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.take_fresh(0.0, limit=9)

    assert sweep.take_due(0.9, limit=9) == []
    assert sweep.take_due(1.0, limit=9) == ["a"]
    assert sweep.take_due(2.9, limit=9) == []
    assert sweep.take_due(3.0, limit=9) == ["a"]
    assert sweep.take_due(6.9, limit=9) == []


def test_no_transaction_waits_longer_than_the_maximum_delay() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)

    now = 0.0
    for _ in range(20):
        now += 300.0
        assert sweep.take_due(now, limit=9) == ["a"]


def test_delays_can_be_configured() -> None:
    sweep = Sweep(first_delay=10.0, max_delay=15.0)
    sweep.add_fresh("a")
    sweep.take_fresh(0.0, limit=9)

    assert sweep.take_due(9.9, limit=9) == []
    assert sweep.take_due(10.0, limit=9) == ["a"]
    assert sweep.take_due(24.9, limit=9) == []
    assert sweep.take_due(25.0, limit=9) == ["a"]
    sweep.again("a", 30.0)
    assert sweep.take_due(39.9, limit=9) == []
    assert sweep.take_due(40.0, limit=9) == ["a"]


def test_new_transaction_added_twice_is_returned_once() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.add_fresh("a")

    assert sweep.take_fresh(0.0, limit=1) == ["a"]
    assert not sweep.has_fresh


def test_longest_waiting_transactions_are_returned_first_up_to_the_limit() -> None:
    sweep = Sweep()
    for time, name in enumerate(("a", "b", "c")):
        sweep.add(name, float(time))

    assert sweep.take_due(5.0, limit=2) == ["a", "b"]
    assert sweep.take_due(5.0, limit=2) == ["c"]


def test_transactions_of_one_time_are_returned_over_several_calls() -> None:
    sweep = Sweep()
    for name in "abcde":
        sweep.add(name, 0.0)
    sweep.forget("c")
    sweep.again("d", 5.0)

    taken = [sweep.take_due(0.5, limit=2) for _ in range(3)]

    assert sorted(name for some in taken for name in some) == ["a", "b", "e"]
    assert [len(some) for some in taken] == [2, 1, 0]
    assert sweep.age(0.5) == 0.0


def test_transaction_scheduled_at_a_time_that_was_handled_is_due() -> None:
    sweep = Sweep()
    sweep.add("a", 5.0)
    sweep.take_due(5.0, limit=9)

    sweep.add("b", 5.0)

    assert sweep.take_due(5.0, limit=9) == ["b"]


def test_transactions_scheduled_at_one_time_take_one_turn() -> None:
    sweep = Sweep()
    now = 5.0
    for number in range(1_000):
        sweep.add_fresh(str(number))
    gc.collect()

    before = len(gc.get_objects())
    sweep.take_fresh(now, limit=1_000)

    assert len(gc.get_objects()) - before < 20


def test_removed_transaction_is_not_returned() -> None:
    sweep = Sweep()
    sweep.add_fresh("a")
    sweep.add("b", 0.0)

    sweep.forget("a")
    sweep.forget("b")

    assert sweep.take_fresh(0.0, limit=9) == sweep.take_due(9.0, limit=9) == []
    assert len(sweep) == 0


def test_adding_a_scheduled_transaction_keeps_its_time() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)
    sweep.take_due(0.0, limit=9)

    sweep.add("a", 0.5)

    assert sweep.take_due(0.6, limit=9) == []


def test_scheduled_transaction_that_becomes_new_is_returned_once() -> None:
    sweep = Sweep()
    sweep.add("a", 0.0)
    sweep.add_fresh("a")
    sweep.add_fresh("a")

    assert sweep.take_due(0.0, limit=9) == []
    assert sweep.take_fresh(0.0, limit=9) == ["a"]
    assert sweep.take_fresh(0.0, limit=9) == []
