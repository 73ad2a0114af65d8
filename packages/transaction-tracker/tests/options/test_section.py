"""Section: options that are declared once, constructed in Python."""

from collections.abc import Iterator
from typing import Any

import pytest

from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import Networks, Seconds


class Pace(Section):
    """Some options."""

    name: str = option(..., "a name of up to 3 letters", "Name of the pace.", max_length=3)
    delay: Seconds = option(1.0, "over 0, up to 60 seconds", "Time between two steps.", gt=0, le=60)
    steps: int = number(2, 1, 1_000, "Number of steps.")
    key: str = option("", "a secret text", "Key of the pace.", secret=True, max_length=8)
    networks: Networks = option((), "a list of networks", "Networks of the pace.")

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield the steps if they take too long."""
        if self.steps * self.delay > 1_000:
            yield "steps", f"must take up to 1000 s with {table}delay"
        if self.name == "no":
            yield "", "cannot be used"


class FastPace(Pace):
    """Options with one that only Python has."""

    unit: str = option("m", "a unit", "Unit of a step.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "long"}, "name must be a name of up to 3 letters, got 'long'"),
        ({"delay": 0}, "delay must be over 0, up to 60 seconds, got 0"),
        ({"delay": "soon"}, "delay must be over 0, up to 60 seconds, got 'soon'"),
        ({"steps": True}, "steps must be a number, 1 to 1,000, got True"),
        ({"steps": 1_001}, "steps must be a number, 1 to 1,000, got 1001"),
        ({"steps": "x" * 100}, f"steps must be a number, 1 to 1,000, got '{'x' * 79}…"),
        ({"key": "s3cret-key"}, "key must be a secret text, got another value (hidden)"),
        ({"networks": ["10.0.0.1/8"]}, "networks must be a list of networks, got '10.0.0.1/8'"),
        ({"networks": 5}, "networks must be a list of networks, got 5"),
        ({"stpes": 1}, "stpes is an unknown option; did you mean steps?"),
        ({"steps": 0, "delay": 0}, "delay must be over 0, up to 60 seconds, got 0; steps must be"),
        ({"steps": 100, "delay": 11}, "steps must take up to 1000 s with delay"),
        ({"name": "no"}, "Pace cannot be used"),
    ],
)
def test_invalid_option_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Pace(**{"name": "a"} | given)

    assert str(caught.value).startswith(message)
    assert "s3cret" not in f"{caught.value!r} {caught.value.__context__!r}"


def test_missing_option_is_named() -> None:
    with pytest.raises(ValueError, match=r"^name is required: a name of up to 3 letters$"):
        Pace()


def test_values_can_be_positional() -> None:
    assert Pace("a", 3) == Pace(name="a", delay=3.0)
    with pytest.raises(TypeError, match="Pace has 5 options, got 6 values"):
        Pace(*range(6))  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="Pace got two values for name"):
        Pace("a", name="b")  # type: ignore[misc]


def test_section_can_be_hashed_and_not_be_changed() -> None:
    assert hash(Pace("a")) == hash(Pace("a", delay=1.0))
    with pytest.raises(ValueError, match="frozen"):
        Pace("a").steps = 3  # type: ignore[misc]


def test_copy_with_changes_is_checked() -> None:
    assert Pace("a", steps=7).replace(delay=2) == Pace("a", 2, 7)
    with pytest.raises(ValueError, match="steps must take up to 1000 s"):
        Pace("a", steps=100).replace(delay=11)


def test_part_has_the_options_of_the_extended_class() -> None:
    assert FastPace("a", steps=3, unit="km").part(Pace) == Pace("a", steps=3)
