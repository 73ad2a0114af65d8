"""Paths, templates and readers with arbitrary input."""

from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import Reported
from transaction_tracker.net import AllowList
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.errors import TooLongError
from transaction_tracker.sources.http_polling.client import MAX_DEPTH, parse
from transaction_tracker.sources.http_polling.etags import Etags
from transaction_tracker.sources.http_polling.jsonpath import NOWHERE, JsonPath
from transaction_tracker.sources.http_polling.reading import StateReader
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.http_polling.words import Words

from .support import WORDS

KEYS = st.text("abcäöü_-0123456789", min_size=1, max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", {"a": [{"b": 1}, None]}),
        ("a", [{"b": 1}, None]),
        ("$.a", [{"b": 1}, None]),
        ("a[0].b", 1),
        ("$.a[0].b", 1),
        ("a[1]", None),
        ("a[2]", NOWHERE),
        ("a.b", NOWHERE),
        ("[0]", NOWHERE),
        ("a[0][0]", NOWHERE),
        ("b", NOWHERE),
    ],
)
def test_path_finds_one_value(path: str, value: Any) -> None:
    assert JsonPath.parse(path, "status").find({"a": [{"b": 1}, None]}) == value


@given(st.lists(KEYS | st.integers(0, 3), min_size=1, max_size=6), JSON)
def test_path_finds_the_value_at_its_end(steps: list[str | int], value: Any) -> None:
    answer = value
    for step in reversed(steps):
        answer = {step: answer} if isinstance(step, str) else [*[None] * step, answer]
    text = "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)

    assert JsonPath.parse(text, "status").find(answer) == value


@given(JSON)
def test_path_never_raises(answer: Any) -> None:
    JsonPath.parse("a[0].b", "status").find(answer)


@given(JSON)
def test_reader_returns_a_report_or_none_or_raises_malformed(answer: Any) -> None:
    status, error = JsonPath.parse("a", "status"), JsonPath.parse("b", "error")
    try:
        fact = StateReader(Words(WORDS, str), status, error, str).read(answer)
    except MalformedError:
        return
    assert fact is None or isinstance(fact, Reported)


def test_reason_is_one_short_line() -> None:
    status, error = JsonPath.parse("a", "status"), JsonPath.parse("b", "error")
    reader = StateReader(Words(WORDS, str), status, error, str)

    fact = reader.read({"a": "rejected", "b": "no\nfunds\x1b" + "x" * 1_000})

    assert fact is not None
    assert fact.error is not None
    assert fact.error.startswith("no funds xxx")
    assert len(fact.error) == 500


@given(st.text(min_size=1, max_size=50))
def test_text_in_a_template_stays_one_part_of_the_url(text: str) -> None:
    template = Template("https://bank.example/a/{id}/b", "{id}", AllowList(), "url")
    filled = template.fill(text.encode("utf-8", "replace").decode())

    before, middle, after = filled.partition("/a/")[2].partition("/b")
    assert (middle, after) == ("/b", "")
    assert unquote(before) == text.encode("utf-8", "replace").decode()
    assert not set(before) & set("/?#&=+ ")


async def test_depth_of_json_is_limited() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert orjson.dumps(await parse(deepest)) == deepest
    with pytest.raises(MalformedError, match="nested at most 32 deep"):
        await parse(b"[" + deepest + b"]")


async def test_response_with_too_many_objects_is_too_long() -> None:
    with pytest.raises(TooLongError, match="too many values"):
        await parse(b"[" + b"{}," * 600_000 + b"{}]")


def test_number_of_stored_responses_is_limited() -> None:
    etags = Etags(max_responses=2)

    for name in ("a", "b", "c"):
        etags.store(name, f'"{name}"', Reported("pending"))

    assert [etags.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]


@pytest.mark.parametrize("tag", [None, "x" * 201, "a\nb", "ü"])
def test_invalid_tag_is_not_stored(tag: str | None) -> None:
    etags = Etags()
    etags.store("a", '"old"', Reported("pending"))

    etags.store("a", tag, Reported("pending"))

    assert len(etags) == 0
