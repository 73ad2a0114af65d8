from transaction_tracker.domain import Link, Recent

ONE, TWO = Link(1, "one", "zero"), Link(2, "two", "one")


def test_a_slot_is_found_with_its_block_and_who_took_it() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"t": "b"})

    assert recent.taken("s") == (ONE, "a")
    assert recent.taken("u") is None


def test_a_block_that_went_took_nothing() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a"})

    recent.drop(ONE)
    recent.drop(TWO)

    assert recent.taken("s") is None


def test_only_so_much_is_kept_but_the_last_block_always() -> None:
    recent = Recent(most_slots=3)
    recent.push(ONE, {"s": "a", "t": "b"})
    recent.push(TWO, {str(number): "x" for number in range(9)})

    assert recent.taken("s") is None
    assert recent.taken("8") == (TWO, "x")


def test_all_can_be_forgotten() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a"})

    recent.clear()

    assert recent.taken("s") is None


def test_a_slot_that_two_transactions_took_along_one_chain_is_not_a_slot() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a", "t": "b"})
    recent.push(TWO, {"s": "c"})

    assert recent.taken("s") is None
    assert recent.taken("t") == (ONE, "b")
    assert not recent.is_free("s")


def test_a_transaction_that_two_blocks_list_takes_its_slot_once() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"s": "a"})

    assert recent.taken("s") == (TWO, "a")


def test_a_slot_is_one_again_when_a_reorganisation_took_the_second_block_back() -> None:
    recent = Recent()
    recent.push(ONE, {"s": "a"})
    recent.push(TWO, {"s": "b"})

    recent.drop(TWO)

    assert recent.taken("s") == (ONE, "a")


def test_a_slot_is_free_while_no_block_has_taken_it() -> None:
    recent = Recent()
    assert recent.is_free("s")
    recent.push(ONE, {"s": "a"})
    assert not recent.is_free("s")
    assert recent.is_free("t")

    recent.drop(ONE)

    assert recent.is_free("s")


def test_the_last_blocks_tell_what_they_have_and_how_far_down_they_reach() -> None:
    recent = Recent()
    assert recent.lowest is None
    recent.push(Link(7, "seven", "six"), {"slot": "one"})
    recent.push(Link(8, "eight", "seven"), {"other": "two"})

    assert recent.lowest == 7
    assert recent.among(["one", "two", "three"]) == {"one", "two"}
