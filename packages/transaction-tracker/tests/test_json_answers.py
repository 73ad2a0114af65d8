"""Parsing untrusted JSON: same values as orjson, within limits, in pieces."""

import asyncio
import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transaction_tracker import json_answers
from transaction_tracker.json_answers import (
    PIECE_BYTES,
    JsonLimits,
    NotJsonError,
    TooManyValuesError,
    parse,
)

texts = st.text(st.sampled_from('ab",:[]{}\\é'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=40,
)


def parsed(
    text: bytes, limits: JsonLimits = json_answers.DEFAULT_LIMITS, piece_bytes: int = 8
) -> Any:
    """Parse in pieces that are smaller than usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_answers, "PIECE_BYTES", piece_bytes)
        return asyncio.run(parse(text, limits))


@given(values, st.integers(1, 40), st.booleans())
@example({"a": {"b": [1, 2, 3]}, "c": [[1, 2], [3, 4]]}, 1, False)
def test_parsing_in_pieces_returns_the_same_value(
    value: object, piece_bytes: int, spaced: bool
) -> None:
    text = json.dumps(value, indent=1 if spaced else None, ensure_ascii=False).encode()

    assert parsed(text, piece_bytes=piece_bytes) == value


@given(st.binary(max_size=40) | st.text('[]{},:"\\ 1a', max_size=40).map(str.encode))
@example(b"[1,]")
@example(b'{"a":[1,2],"b":1,"a":[3,4]}')
@example(b"1,2")
@example(b"[1,2")
@example(b"[1]]")
@example(b'[1,2,"')
def test_invalid_json_raises(text: bytes) -> None:
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(NotJsonError):
            parsed(text)
    else:
        try:
            assert parsed(text) == expected
        except NotJsonError as error:
            assert "same key twice" in str(error)  # noqa: PT017


def test_string_longer_than_a_piece_is_not_split() -> None:
    value = ["a" * 100, {"b": "," * 100}, 1]

    assert parsed(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"{}," * 1_000 + b"{}]",
        b"[" + b'"",' * 1_000 + b"0]",
        b"[" + b"1," * 1_000 + b"0]",
        b"{" + b",".join(b'"%d":0' % number for number in range(1_000)) + b"}",
    ],
    ids=["containers", "strings", "values", "keys"],
)
@pytest.mark.parametrize("piece_bytes", [64, PIECE_BYTES])
def test_text_with_too_many_values_raises(text: bytes, piece_bytes: int) -> None:
    limits = JsonLimits(max_containers=999, max_strings=999, max_values=999)

    with pytest.raises(TooManyValuesError, match="999 lists and objects"):
        parsed(text, limits, piece_bytes)
    parsed(text, JsonLimits(max_containers=1_002, max_strings=1_000, max_values=1_999), piece_bytes)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("piece_bytes", [8, PIECE_BYTES])
def test_deep_nesting_raises(opening: bytes, piece_bytes: int) -> None:
    with pytest.raises(NotJsonError):
        parsed(opening * 100_000, piece_bytes=piece_bytes)
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(NotJsonError, match="nested at most 32 deep"):
        parsed(opening * 66 + b"1" + closing * 66, JsonLimits(max_depth=32), piece_bytes)
    assert parsed(opening * 32 + b"1" + closing * 32, JsonLimits(max_depth=32), piece_bytes)


async def test_60_mib_of_objects_raise_without_using_much_memory() -> None:
    text = b"[" + b"{}," * (20 * 2**20) + b"{}]"
    tracemalloc.start()
    try:
        with pytest.raises(TooManyValuesError):
            await parse(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 200 * 2**20


async def test_other_tasks_run_while_a_long_text_is_parsed() -> None:
    text = orjson.dumps([{"number": number} for number in range(200_000)])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await parse(text)
    counting.cancel()

    assert turns >= len(text) // PIECE_BYTES


@pytest.mark.parametrize("piece_bytes", range(1, 12))
@pytest.mark.parametrize(
    "text",
    [
        b"[111,]",
        b'{"a":1,}',
        b"[[1],1, ]",
        b"1,2",
        b"[1],[2]",
        b"[1,,1]",
        b"[1," + b" " * 200 + b"]",
        b'[1,,"' + b"a" * 200 + b'"]',
    ],
)
def test_comma_at_a_cut_without_a_value_after_it_raises(text: bytes, piece_bytes: int) -> None:
    with pytest.raises(NotJsonError):
        parsed(text, piece_bytes=piece_bytes)


@pytest.mark.parametrize("text", [b'"' * 2**22, b'["' + b'" "' * 2**20 + b'"]'])
def test_strings_without_commas_are_counted_before_they_take_memory(text: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooManyValuesError):
            asyncio.run(parse(text, JsonLimits(max_strings=1_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 32 * PIECE_BYTES


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (b'" "', NotJsonError),
        (b'"%b" ' % (b"a" * 60), NotJsonError),
        (b"[]", NotJsonError),
        (b'{"a":{}} ', NotJsonError),
        (b" ", TooManyValuesError),
        (b"1", TooManyValuesError),
    ],
    ids=["strings", "long-strings", "lists", "objects", "spaces", "digits"],
)
def test_text_without_commas_is_refused_after_a_few_blocks(
    part: bytes, error: type[Exception]
) -> None:
    text = b"[" + part * (2**24 // len(part)) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(error):
            asyncio.run(parse(text))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * PIECE_BYTES


@given(st.integers(0, 20), st.integers(1, 9), st.sampled_from(["\\", '"', "a", "é"]))
def test_string_is_read_over_the_edges_of_blocks(before: int, piece_bytes: int, end: str) -> None:
    value = ["a" * before + "\\" * 20 + end, {"b": end * 30}]

    assert parsed(orjson.dumps(value), piece_bytes=piece_bytes) == value


@pytest.mark.parametrize("piece_bytes", [8, 64, PIECE_BYTES])
def test_string_longer_than_the_limit_raises(piece_bytes: int) -> None:
    limits = JsonLimits(max_string_bytes=100)

    with pytest.raises(TooManyValuesError, match="a string must have at most 100 bytes"):
        parsed(orjson.dumps([1, "a" * 101]), limits, piece_bytes)
    assert parsed(orjson.dumps([1, "a" * 100]), limits, piece_bytes) == [1, "a" * 100]


async def test_other_tasks_run_while_a_long_string_is_parsed() -> None:
    text = orjson.dumps({"result": "a" * (8 * 2**20)})
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await parse(text)
    counting.cancel()

    assert turns >= len(text) // PIECE_BYTES
