"""The change of a registration: what it can contain."""

from typing import Any

import pytest

from transaction_tracker.domain import UNCHANGED, Expectation, RegistrationChange


@pytest.mark.parametrize(
    "given",
    [
        {"required": 1},
        {"required": "finalized"},
        {"deadline": None},
        {"deadline": 1.0},
        {"metadata": "{}"},
        {"expectation": None},
        {"expectation": Expectation(value=1)},
    ],
)
def test_change_has_one_new_value_and_leaves_the_others(given: dict[str, Any]) -> None:
    change = RegistrationChange(**given)

    values = {name: getattr(change, name) for name in RegistrationChange.__dataclass_fields__}
    assert values == dict.fromkeys(values, UNCHANGED) | given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "at least one of confirmations, deadline, metadata and expect"),
        ({"required": 0}, "confirmations must be"),
        ({"required": None}, "confirmations must be"),
        ({"deadline": float("nan")}, "deadline must be a time"),
        ({"deadline": 0.0}, "deadline must be a time"),
        ({"metadata": "x" * 4_097}, "metadata must be at most 4096 bytes"),
    ],
)
def test_invalid_change_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RegistrationChange(**given)
