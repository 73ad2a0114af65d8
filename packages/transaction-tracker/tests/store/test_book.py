from dataclasses import replace

from transaction_tracker.domain import BlockRef
from transaction_tracker.store import Book

from .support import tracked


def book_with(*rows: object) -> Book:
    book = Book()
    book.write(rows)  # type: ignore[arg-type]
    return book


def test_open_transaction_is_found_by_id_and_slot() -> None:
    book = book_with(tracked("a", slot="s"), tracked("b"))

    assert book.own({"a": 0, "c": 1}) == {"a"}
    assert book.rivals({"s": "x", "t": "y"}) == {"a": "x"}


def test_transaction_is_not_its_own_rival() -> None:
    assert book_with(tracked("a", slot="s")).rivals({"s": "a"}) == {}


def test_all_transactions_of_a_slot_are_rivals_of_its_winner() -> None:
    book = book_with(tracked("a", slot="s"), tracked("b", slot="s"), tracked("c", slot="s"))

    assert book.rivals({"s": "b"}) == {"a": "b", "c": "b"}


def test_slot_that_becomes_known_later_is_indexed() -> None:
    book = book_with(tracked("a"))

    book.write([tracked("a", version=1, slot="s")])
    book.write([tracked("a", version=2, slot="s", anchor=BlockRef(1, "one"))])

    assert book.rivals({"s": "x"}) == {"a": "x"}


def test_final_transaction_is_removed() -> None:
    book = book_with(tracked("a", slot="s"), tracked("b", slot="s"))

    book.write([tracked("a", slot="s", state="confirmed"), tracked("never seen", state="failed")])

    assert (book.get("a"), len(book), [transaction.id for transaction in book]) == (None, 1, ["b"])
    assert book.rivals({"s": "x"}) == {"b": "x"}
    book.write([tracked("b", slot="s", state="replaced")])
    assert book.rivals({"s": "x"}) == {}


def test_reopened_transaction_is_added_again() -> None:
    book = book_with(tracked("a", slot="s"))
    book.write([tracked("a", slot="s", state="confirmed", version=1)])

    back = tracked("a", slot="s", state="pending", version=2)
    book.write([back])

    assert book.get("a") == back
    assert book.rivals({"s": "x"}) == {"a": "x"}


def test_dropped_transaction_stays_open() -> None:
    dropped = tracked("a", slot="s", state="dropped")

    assert book_with(dropped).get("a") == dropped


def test_changed_slot_replaces_the_old_one() -> None:
    book = book_with(tracked("a", slot="s"))

    book.write([replace(tracked("a"), slot="t")])

    assert book.rivals({"s": "x", "t": "y"}) == {"a": "y"}


def test_cleared_book_is_empty() -> None:
    book = book_with(tracked("a", slot="s"))
    book.tip = BlockRef(1, "one")

    book.clear()

    assert (len(book), book.tip, book.rivals({"s": "x"})) == (0, None, {})
