from msgspec.structs import replace

from transaction_tracker.domain import BlockRef
from transaction_tracker.store import OpenTransactions

from .support import tracked


def open_transactions_with(*rows: object) -> OpenTransactions:
    open_transactions = OpenTransactions()
    open_transactions.write(rows)  # type: ignore[arg-type]
    return open_transactions


def test_open_transaction_is_found_by_id_and_slot() -> None:
    open_transactions = open_transactions_with(tracked("a", slots=("s",)), tracked("b"))

    assert open_transactions.own({"a": 0, "c": 1}, {}) == {"a": "a"}
    assert open_transactions.rivals({"s": "x", "t": "y"}) == {"a": "x"}


def test_transaction_is_not_its_own_rival() -> None:
    assert open_transactions_with(tracked("a", slots=("s",))).rivals({"s": "a"}) == {}


def test_transaction_that_is_tracked_by_its_slot_is_whichever_takes_it() -> None:
    open_transactions = open_transactions_with(
        tracked("s", slots=("s",)), tracked("a", slots=("s",))
    )

    assert open_transactions.own({"x": 0}, {"s": "x", "t": "y"}) == {"s": "x"}
    assert open_transactions.rivals({"s": "x"}) == {"a": "x"}


def test_all_transactions_of_a_slot_are_rivals_of_its_winner() -> None:
    open_transactions = open_transactions_with(
        tracked("a", slots=("s",)), tracked("b", slots=("s",)), tracked("c", slots=("s",))
    )

    assert open_transactions.rivals({"s": "b"}) == {"a": "b", "c": "b"}


def test_slot_that_becomes_known_later_is_indexed() -> None:
    open_transactions = open_transactions_with(tracked("a"))

    open_transactions.write([tracked("a", version=1, slots=("s",))])
    open_transactions.write([tracked("a", version=2, slots=("s",), anchor=BlockRef(1, "one"))])

    assert open_transactions.rivals({"s": "x"}) == {"a": "x"}


def test_final_transaction_is_removed() -> None:
    open_transactions = open_transactions_with(
        tracked("a", slots=("s",)), tracked("b", slots=("s",))
    )

    open_transactions.write(
        [tracked("a", slots=("s",), state="confirmed"), tracked("never seen", state="failed")]
    )

    assert (
        open_transactions.get("a"),
        len(open_transactions),
        [transaction.id for transaction in open_transactions],
    ) == (None, 1, ["b"])
    assert open_transactions.rivals({"s": "x"}) == {"b": "x"}
    open_transactions.write([tracked("b", slots=("s",), state="replaced")])
    assert open_transactions.rivals({"s": "x"}) == {}


def test_reopened_transaction_is_added_again() -> None:
    open_transactions = open_transactions_with(tracked("a", slots=("s",)))
    open_transactions.write([tracked("a", slots=("s",), state="confirmed", version=1)])

    back = tracked("a", slots=("s",), state="pending", version=2)
    open_transactions.write([back])

    assert open_transactions.get("a") == back
    assert open_transactions.rivals({"s": "x"}) == {"a": "x"}


def test_dropped_transaction_stays_open() -> None:
    dropped = tracked("a", slots=("s",), state="dropped")

    assert open_transactions_with(dropped).get("a") == dropped


def test_changed_slot_replaces_the_old_one() -> None:
    open_transactions = open_transactions_with(tracked("a", slots=("s",)))

    open_transactions.write([replace(tracked("a"), slots=("t",))])

    assert open_transactions.rivals({"s": "x", "t": "y"}) == {"a": "y"}


def test_clear_removes_everything() -> None:
    open_transactions = open_transactions_with(tracked("a", slots=("s",)))
    open_transactions.tip = BlockRef(1, "one")

    open_transactions.clear()

    assert (
        len(open_transactions),
        open_transactions.tip,
        open_transactions.rivals({"s": "x"}),
    ) == (0, None, {})


def test_one_used_slot_of_several_makes_a_rival() -> None:
    open_transactions = open_transactions_with(
        tracked("a", slots=("s", "t")), tracked("b", slots=("t",))
    )

    assert open_transactions.rivals({"t": "winner"}) == {"a": "winner", "b": "winner"}
    assert open_transactions.rivals({"s": "one", "t": "two"}) == {"a": "one", "b": "two"}
    assert open_transactions.rivals({"s": "a", "t": "a"}) == {"b": "a"}


def test_finished_transaction_leaves_all_its_slots() -> None:
    open_transactions = open_transactions_with(tracked("a", slots=("s", "t")))

    open_transactions.write([tracked("a", slots=("s", "t"), state="replaced")])

    assert open_transactions.rivals({"s": "winner", "t": "winner"}) == {}
