"""Checks of arguments, whose errors say what was expected and what was given."""

import math
from collections.abc import Collection
from typing import Any


def one_of(field: str, value: Any, allowed: Collection[Any]) -> None:
    """Raise `ValueError` if ``value`` is not one of ``allowed``."""
    if not any(value is item or (type(value) is type(item) and value == item) for item in allowed):
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"{field} must be one of {choices}; got {value!r}")


def count(field: str, value: Any, minimum: int = 0) -> None:
    """Raise `ValueError` if ``value`` is not an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{field} must be a whole number of at least {minimum}; got {value!r}")


def seconds(field: str, value: Any, *, positive: bool = False) -> None:
    """Raise `ValueError` if ``value`` is not a finite, non-negative (or positive) number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"{field} must be a {kind} number of seconds; got {value!r}")


def timeout(value: Any, field: str = "timeout") -> None:
    """Raise if ``value`` is neither ``None`` nor a non-negative number of seconds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{field} must be a number of seconds, or None for no limit; got {value!r}")
    if math.isnan(value) or value < 0:
        raise ValueError(f"{field} must be a non-negative number of seconds; got {value!r}")
