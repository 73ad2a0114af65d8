"""Numbers in texts."""

import pytest

from transaction_tracker.domain.numbers import decimal_number, json_number, whole_number

STRANGE = ["", " 1", "+1", "1_0", "\u0661", "0x1", "1.", ".5", "nan", "inf", "1" * 101]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_text_is_refused(text: str) -> None:
    for parse in (whole_number, decimal_number, json_number):
        with pytest.raises(ValueError, match="must be"):
            parse(text)


def test_numbers_are_parsed() -> None:
    assert whole_number("-10") == -10
    assert decimal_number("0.5") == 0.5
    assert json_number("5e-1") == json_number("0.5") == 0.5


@pytest.mark.parametrize("text", ["1e3", "1E-3"])
def test_exponent_is_only_for_json(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        decimal_number(text)
