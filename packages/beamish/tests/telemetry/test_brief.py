"""The text of values in reports."""

from collections import deque
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from beamish._diagnostics.brief import brief


class Place(Struct, frozen=True):
    x: Any
    y: int = 0


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    LEAVES | st.frozensets(KEYS) | st.sets(KEYS),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.lists(inner).map(deque)
        | st.lists(inner).map(lambda items: deque(items, maxlen=5))
        | st.dictionaries(KEYS, inner)
        | inner.map(lambda value: Point(value, hidden=value))
        | inner.map(Place)
    ),
)


@dataclass(slots=True)
class Point:
    x: Any
    hidden: Any = field(default=0, repr=False)


class Counted:
    """A value that counts how often it is shown."""

    shown = 0

    def __repr__(self) -> str:
        Counted.shown += 1
        return "Counted()"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@given(VALUES)
def test_whole_text_is_that_of_repr(value: object) -> None:
    assert brief(value, 1_000_000) == repr(value)


@given(VALUES, st.integers(min_value=0, max_value=50))
def test_text_is_cut_off_at_the_limit(value: object, limit: int) -> None:
    whole = repr(value)

    assert brief(value, limit) == (whole if len(whole) <= limit else f"{whole[:limit]}…")


@pytest.mark.parametrize(
    "collection",
    [
        lambda items: items,
        tuple,
        deque,
        frozenset,
        set,
        lambda items: dict.fromkeys(items, 0),
        lambda items: dict(enumerate(items)),
        lambda items: Point(items),
        lambda items: Place(items),
        lambda items: make_dataclass("Many", [f"f{n}" for n in range(1_000)])(*items[:1_000]),
    ],
    ids=[
        "list",
        "tuple",
        "deque",
        "frozenset",
        "set",
        "keys",
        "values",
        "dataclass",
        "struct",
        "fields",
    ],
)
def test_items_beyond_the_limit_are_not_read(collection: Any) -> None:
    many = collection([Counted() for _ in range(10_000)])
    Counted.shown = 0

    brief(many, 100)

    assert Counted.shown <= 100 / len("Counted()") + 1


def test_value_whose_repr_raises_does_not_hide_the_others() -> None:
    shown = brief({"good": 1, "bad": Hostile()})

    assert shown == "{'good': 1, 'bad': <Hostile that cannot be shown: RuntimeError>}"


def test_value_within_itself_is_left_out() -> None:
    items: list[Any] = [1]
    items.append({"again": items})

    assert brief(items) == "[1, {'again': ...}]"


def test_same_value_twice_is_shown_twice() -> None:
    once = [1]

    assert brief([once, once]) == "[[1], [1]]"


def test_deep_value_is_cut_off() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert brief(deep).startswith("[[[[")
    assert "..." in brief(deep)


def test_collection_that_changes_while_it_is_shown() -> None:
    class Growing:
        def __repr__(self) -> str:
            grown.add(len(grown))
            return "Growing()"

    grown: set[Any] = set()
    grown.add(Growing())

    assert "Growing()" in brief(grown)


def test_field_without_a_value() -> None:
    point = Point(1)
    del point.x

    assert brief(point) == "Point(x=<unset>)"


def test_own_repr_of_a_dataclass_is_used() -> None:
    @dataclass
    class Named:
        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

    assert brief([Named("a")]) == "[<a>]"


def test_own_repr_of_a_struct_is_used() -> None:
    class Named(Struct):
        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

    assert brief([Named("a")]) == "[<a>]"


def test_struct_is_shown_as_it_shows_itself() -> None:
    class Short(Struct, repr_omit_defaults=True):
        name: str
        note: str = ""

    assert brief(Short("a")) == repr(Short("a"))
    assert brief(Place([1])) == repr(Place([1]))
