"""Structs: values whose comparison leaves fields out."""

from operator import eq, ne

import pytest
from msgspec import Struct

from transaction_tracker.domain.structs import compared_without


@compared_without("note")
class Kept(Struct, frozen=True):
    id: str
    note: object = None


@compared_without("note", shown=False)
class Large(Struct, frozen=True):
    id: str
    note: object
    end: str


class Other(Struct, frozen=True):
    id: str
    note: object = None


def test_values_that_differ_in_another_field_are_equal() -> None:
    assert Kept("a", 1) == Kept("a", 2)
    assert not ne(Kept("a", 1), Kept("a", 2))
    assert hash(Kept("a", 1)) == hash(Kept("a", [2]))


def test_values_that_differ_in_a_compared_field_are_different() -> None:
    assert Kept("a", 1) != Kept("b", 1)
    assert not eq(Kept("a", 1), Kept("b", 1))
    assert hash(Kept("a")) != hash(Kept("b"))


def test_value_of_another_class_is_different() -> None:
    assert Kept("a") != Other("a")
    assert not eq(Kept("a"), Other("a"))
    assert Kept("a") != "a"


def test_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Kept("a").id = "b"  # type: ignore[misc]


def test_field_can_be_left_out_of_the_text() -> None:
    assert repr(Large("a", 1, "b")) == "Large(id='a', end='b')"
    assert repr(Kept("a", 1)) == "Kept(id='a', note=1)"
