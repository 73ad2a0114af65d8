"""The external term format: every type, and hostile input."""

import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamish.erlang import (
    Atom,
    BitString,
    ErlangFunction,
    ErlangPort,
    ErlangRef,
    ImproperList,
    MapPairs,
    OpaqueFunction,
    ProcessIdentity,
    TermError,
    from_binary,
    to_binary,
)
from beamish.erlang._format.context import MAX_DEPTH, MAX_INTEGER_BYTES

from .terms import terms

# As `erlang:term_to_binary/1` of OTP 25 makes them.
VECTORS: list[tuple[Any, str]] = [
    (0, "836100"),
    (255, "8361ff"),
    (-1, "8362ffffffff"),
    (2**31 - 1, "83627fffffff"),
    (2**31, "836e040000000080"),
    (-(2**64), "836e0901000000000000000001"),
    (1.5, "83463ff8000000000000"),
    (b"ab", "836d000000026162"),
    ((), "836800"),
    ((1, 2), "836802610161 02".replace(" ", "")),
    ([], "836a"),
    ([300], "836c0000000162 0000012c6a".replace(" ", "")),
    ({1: 2}, "8374000000016101 6102".replace(" ", "")),
    (BitString(b"\xa0", 3), "834d0000000103a0"),
]


@pytest.mark.parametrize(("value", "encoded"), VECTORS)
def test_values_are_encoded_as_erlang_does(value: Any, encoded: str) -> None:
    assert to_binary(value).hex() == encoded
    assert from_binary(bytes.fromhex(encoded)) == value


@given(terms())
def test_every_term_survives_a_round_trip(term: Any) -> None:
    decoded = from_binary(to_binary(term))

    assert repr(decoded) == repr(term)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("grün", "grün".encode()),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        ([True, False, None], [True, False, None]),
        (Atom("true"), True),
    ],
)
def test_python_values_become_their_counterparts(value: Any, expected: Any) -> None:
    assert from_binary(to_binary(value)) == expected


def test_subclasses_are_encoded_like_their_base() -> None:
    class Colour(IntEnum):
        RED = 1

    class Point(NamedTuple):
        x: int
        y: int

    assert from_binary(to_binary([Colour.RED, Point(1, 2)])) == [1, (1, 2)]


def test_atoms_and_strings_stay_different() -> None:
    decoded = from_binary(to_binary([Atom("ok"), "ok"]))

    assert [type(value) for value in decoded] == [Atom, bytes]


def test_text_is_decoded_on_request_only_where_it_is_valid() -> None:
    assert from_binary(to_binary(["grün", b"\xff"]), text=True) == ["grün", b"\xff"]


def test_map_whose_keys_python_confuses_keeps_all_pairs() -> None:
    encoded = bytes.fromhex("837400000002 6101 6161 463ff0000000000000 6162".replace(" ", ""))

    decoded = from_binary(encoded)

    assert decoded == MapPairs(((1, 97), (1.0, 98)))
    assert to_binary(decoded) == encoded


def test_map_with_a_list_as_key_keeps_its_pairs() -> None:
    assert from_binary(to_binary(MapPairs((([1], 2),)))) == MapPairs((([1], 2),))


def test_text_key_does_not_replace_the_atom_of_the_same_name() -> None:
    encoded = to_binary(MapPairs(((Atom("a"), 1), ("a", 2))))

    assert from_binary(encoded) == {Atom("a"): 1, b"a": 2}
    assert from_binary(encoded, text=True) == MapPairs(((Atom("a"), 1), ("a", 2)))


@dataclass
class User:
    name: str
    age: int
    nick: str | None = None


def test_struct_becomes_its_dataclass_and_back() -> None:
    structs = {"Shop.User": User}

    encoded = to_binary(User("Ada", 36), structs=structs)

    assert from_binary(encoded)[Atom("__struct__")] == Atom("Elixir.Shop.User")
    assert from_binary(encoded, structs=structs) == User("Ada", 36)


def test_struct_with_other_fields_stays_a_map(caplog: pytest.LogCaptureFixture) -> None:
    fields = {Atom("__struct__"): Atom("Elixir.Shop.User"), Atom("email"): b"ada@example.com"}

    decoded = from_binary(to_binary(fields), structs={"Shop.User": User})

    assert decoded == fields
    assert "stays a map" in caplog.text


def test_unknown_struct_stays_a_map() -> None:
    fields = {Atom("__struct__"): Atom("Elixir.Other")}

    assert from_binary(to_binary(fields), structs={"Shop.User": User}) == fields


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        object(),
        User("Ada", 36),
        {1, 2},
        Atom("a" * 256),
        "\ud800",
        ImproperList((), 1),
        ErlangRef("a@b", 1, ()),
        ProcessIdentity("a@b", 2**32, 0, 1),
        pytest.param(1 << (8 * MAX_INTEGER_BYTES), id="huge integer"),
    ],
)
def test_value_without_a_form_in_erlang_is_refused(value: Any) -> None:
    with pytest.raises(TermError):
        to_binary(value)


def test_cycle_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)

    with pytest.raises(TermError, match="cycle"):
        to_binary(cycle)


def test_dataclass_that_is_not_a_struct_is_refused_by_name() -> None:
    with pytest.raises(TermError, match=r"structs=.*User"):
        to_binary(User("Ada", 36))


# -- Hostile input


@given(terms(), st.data())
def test_cut_off_term_is_refused(term: Any, data: st.DataObject) -> None:
    encoded = to_binary(term)
    end = data.draw(st.integers(0, len(encoded) - 1))

    with pytest.raises(TermError):
        from_binary(encoded[:end])


@given(st.binary(max_size=200))
def test_random_bytes_are_a_term_or_refused(data: bytes) -> None:
    with suppress(TermError):
        from_binary(b"\x83" + data)


@pytest.mark.parametrize("tag", [105, 108, 109, 77, 116, 111])
def test_huge_length_is_refused_before_memory_is_taken(tag: int) -> None:
    with pytest.raises(TermError):
        from_binary(struct.pack(">BBI", 131, tag, 2**32 - 1) + b"\x00\x00")


def test_deep_term_is_refused() -> None:
    deepest = b"\x83" + b"\x68\x01" * MAX_DEPTH + b"\x6a"

    from_binary(deepest)
    with pytest.raises(TermError, match="deep"):
        from_binary(b"\x83" + b"\x68\x01" * (MAX_DEPTH + 1) + b"\x6a")


def test_message_with_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beamish.erlang._format.decoder.MAX_TERMS", 5)

    from_binary(to_binary([1, 2, (3,)]))  # three, the end of the list, one
    with pytest.raises(TermError, match="at most 5 elements"):
        from_binary(to_binary([1, 2, (3, 4)]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x82\x61\x00",
        b"\x83\x50\x00\x00\x00\x01",  # compressed
        b"\x83\x77\x01\xff",  # an atom that is not UTF-8
        b"\x83\x46\x7f\xf8" + bytes(6),  # not a number
        b"\x83\x58\x61\x01" + bytes(12),  # a pid whose node is a number
        b"\x83\x61\x01\x61",  # bytes after the term
        b"\x83\x61\x01\x83\x61\x01",  # two terms
        b"\x83\x5a\x00\x09\x77\x01a" + bytes(40),  # a reference of nine words
        b"\x83\x70\xff\xff\xff\xff",  # a function of four gigabytes
        b"\x83\x71\x77\x01a\x77\x01b\x6a",  # an arity that is a list
    ],
)
def test_invalid_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TermError):
        from_binary(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x83\x6b\x00\x02ab", [97, 98]),
        (b"\x83\x64\x00\x01\xe9", Atom("é")),
        (b"\x83\x73\x01\xe9", Atom("é")),
        (b"\x83\x59\x77\x01a\x00\x00\x00\x05\x00\x00\x00\x01", ErlangPort("a", 5, 1)),
        (b"\x83\x6c\x00\x00\x00\x01\x61\x01\x6b\x00\x01\x02", [1, 2]),
        (b"\x83\x70\x00\x00\x00\x05x", OpaqueFunction(b"\x00\x00\x00\x05x")),
        (b"\x83\x71\x77\x01a\x77\x03nil\x61\x02", ErlangFunction("a", "nil", 2)),
    ],
)
def test_forms_that_only_erlang_sends_are_decoded(data: bytes, expected: Any) -> None:
    assert from_binary(data) == expected
