"""Parsing the ``Retry-After`` header."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.net import parse_retry_after


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("9" * 400, 999_999_999.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 31 Dec 1999 23:59:59", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_only_seconds_and_dates_are_valid(text: str | None, value: float) -> None:
    assert parse_retry_after(text) == value


def test_date_becomes_seconds_from_now() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)

    assert 85 < (parse_retry_after(format_datetime(moment, usegmt=True)) or 0.0) <= 90


@given(st.text(max_size=40))
def test_any_text_gives_seconds_or_none(text: str) -> None:
    value = parse_retry_after(text)

    assert value is None or value >= 0
