"""Checks of arguments: each says what was expected, what came, and nothing else."""

import math
from collections.abc import Collection
from typing import Any


def one_of(field: str, value: Any, allowed: Collection[Any]) -> None:
    """Refuse a ``value`` that is not one of ``allowed``."""
    if not any(value is item or (type(value) is type(item) and value == item) for item in allowed):
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"{field} must be one of {choices}; got {value!r}")


def count(field: str, value: Any, least: int = 0) -> None:
    """Refuse a ``value`` that is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{field} must be a whole number of at least {least}; got {value!r}")


def seconds(field: str, value: Any, *, positive: bool = False) -> None:
    """Refuse a ``value`` that is not a finite, non-negative (or positive) number of seconds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"{field} must be a {kind} number of seconds; got {value!r}")


def timeout(value: Any, field: str = "timeout") -> None:
    """Refuse a ``value`` that is neither ``None`` (for ever) nor a number of seconds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{field} must be a number of seconds, or None for ever; got {value!r}")
    if math.isnan(value) or value < 0:
        raise ValueError(f"{field} must be a non-negative number of seconds; got {value!r}")
