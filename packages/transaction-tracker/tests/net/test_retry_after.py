"""When a server wants to be asked again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.net import seconds


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
def test_seconds_and_dates_are_read_and_nothing_else(text: str | None, value: float) -> None:
    assert seconds(text) == value


def test_a_date_is_that_many_seconds_away() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)

    assert 85 < (seconds(format_datetime(moment, usegmt=True)) or 0.0) <= 90


@given(st.text(max_size=40))
def test_any_text_is_seconds_or_nothing(text: str) -> None:
    value = seconds(text)

    assert value is None or value >= 0
