"""The encoding of signed transactions: one form for each item, and no other is accepted."""

from typing import Any

import pytest

from transaction_tracker.sources.ethereum.rlp import MAX_DEPTH, RlpError, decode, encode, integer

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"


# The examples of ethereum.org, "Recursive-length prefix serialization".
@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        (b"dog", b"\x83dog"),
        ([b"cat", b"dog"], b"\xc8\x83cat\x83dog"),
        (b"", b"\x80"),
        ([], b"\xc0"),
        (b"\x00", b"\x00"),
        (b"\x0f", b"\x0f"),
        (b"\x04\x00", b"\x82\x04\x00"),
        ([[], [[]], [[], [[]]]], b"\xc7\xc0\xc1\xc0\xc3\xc0\xc1\xc0"),
        (LOREM, b"\xb8\x38" + LOREM),
        ([LOREM], b"\xf8\x3a\xb8\x38" + LOREM),
        (b"x" * 70_000, b"\xba\x01\x11\x70" + b"x" * 70_000),
    ],
)
def test_item_has_one_encoding(item: Any, encoded: bytes) -> None:
    assert encode(item) == encoded
    assert decode(encoded) == item


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"", "cut off"),
        (b"\x83do", "cut off"),
        (b"\xc8\x83cat\x83do", "cut off"),
        (b"\xb8", "cut off"),
        (b"\xb9\x01", "cut off"),
        (b"\xbf" + b"\xff" * 8, "cut off"),
        (b"\xc1\x82", "cut off"),
        (b"\x83dogs", "1 bytes follow its end"),
        (b"\x81\x05", "must be left out"),
        (b"\xb8\x03dog", "more bytes than needed"),
        (b"\xb9\x00\x38" + LOREM, "more bytes than needed"),
        (b"\xf8\x01\x80", "more bytes than needed"),
        (b"\xc1" * (MAX_DEPTH + 1), "cut off|deeper"),
        (bytes(0xC0 + MAX_DEPTH - place for place in range(MAX_DEPTH + 1)), "deeper than 8"),
    ],
)
def test_other_encodings_are_refused(encoded: bytes, words: str) -> None:
    with pytest.raises(RlpError, match=words):
        decode(encoded)


def test_list_that_ends_inside_of_an_item_is_refused() -> None:
    with pytest.raises(RlpError, match="cut off"):
        decode(b"\xc2\x83dog")


@pytest.mark.parametrize(("number", "encoded"), [(0, b""), (1, b"\1"), (256, b"\1\0")])
def test_number_has_no_leading_zeros(number: int, encoded: bytes) -> None:
    assert integer(number) == encoded
