from transaction_tracker.domain import Link, RecentSlots

ONE, TWO = Link(1, "one", "zero"), Link(2, "two", "one")


def test_slot_is_found_with_its_block_and_transaction() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"t": "b"})

    assert recent.taken(["s"]) == (ONE, "a")
    assert recent.taken(["u"]) is None


def test_removed_block_took_no_slot() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})

    recent.drop(ONE)
    recent.drop(TWO)

    assert recent.taken(["s"]) is None


def test_oldest_blocks_are_dropped_but_never_the_last_one() -> None:
    recent = RecentSlots(max_slots=3)
    recent.push(ONE, {"s": "a", "t": "b"})
    recent.push(TWO, {str(number): "x" for number in range(9)})

    assert recent.taken(["s"]) is None
    assert recent.taken(["8"]) == (TWO, "x")


def test_cleared_blocks_took_no_slot() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})

    recent.clear()

    assert recent.taken(["s"]) is None


def test_slot_taken_by_two_transactions_of_one_chain_is_not_a_slot() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a", "t": "b"})
    recent.push(TWO, {"s": "c"})

    assert recent.taken(["s"]) is None
    assert recent.taken(["t"]) == (ONE, "b")
    assert not recent.is_free(["s"])


def test_transaction_listed_in_two_blocks_takes_its_slot_once() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"s": "a"})

    assert recent.taken(["s"]) == (TWO, "a")


def test_slot_is_valid_again_after_the_second_block_is_removed() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"s": "b"})

    recent.drop(TWO)

    assert recent.taken(["s"]) == (ONE, "a")


def test_slot_is_free_while_no_block_took_it() -> None:
    recent = RecentSlots()
    assert recent.is_free(["s"])
    recent.push(ONE, {"s": "a"})
    assert not recent.is_free(["s"])
    assert recent.is_free(["t"])

    recent.drop(ONE)

    assert recent.is_free(["s"])


def test_recent_blocks_return_their_transactions_and_lowest_number() -> None:
    recent = RecentSlots()
    assert recent.lowest is None
    recent.push(Link(7, "seven", "six"), {"slot": "one"})
    recent.push(Link(8, "eight", "seven"), {"other": "two"})

    assert recent.lowest == 7
    assert recent.among(["one", "two", "three"]) == {"one", "two"}


def test_lowest_block_that_took_one_of_several_slots_is_found() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"t": "b", "u": "b"})

    assert recent.taken(["u", "t", "s"]) == (ONE, "a")
    assert recent.taken(["x", "t"]) == (TWO, "b")


def test_block_that_has_a_transaction_is_found() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"t": "b"})

    assert (recent.holder("a"), recent.holder("b"), recent.holder("c")) == (ONE, TWO, None)


def test_one_taken_slot_of_several_is_not_free() -> None:
    recent = RecentSlots()
    recent.push(ONE, {"s": "a"})

    assert not recent.is_free(["t", "s"])
    assert recent.is_free([])
