"""The options of faults: their valid values and their text form."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_TEXT_LENGTH = 200
MAX_SECONDS = 86_400.0
MAX_BLOCKS = 1_000_000
MAX_FORK_BLOCKS = 10_000
_HASH = re.compile(r"0x[0-9a-f]{64}")
_METHOD = re.compile(r"[a-z0-9]{1,20}_[A-Za-z0-9_]{1,60}")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FaultOption:
    """An option: its valid values in words and as a check, and its parser."""

    expected: str
    is_valid: Callable[[object], bool]
    parse: Callable[[str], object]


def is_control_method(method: str) -> bool:
    """Return whether a method controls this node; no fault applies to it."""
    return method.startswith(("dev_", "evm_"))


def format_value(value: object) -> str:
    """Return the text of an option's value, as its parser accepts it."""
    if isinstance(value, frozenset):
        return "+".join(sorted(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(
    minimum: int, maximum: int, *, expected: str | None = None, optional: bool = False
) -> FaultOption:
    def is_valid(value: object) -> bool:
        if value is None:
            return optional
        return (
            isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum
        )

    return FaultOption(expected or f"a whole number from {minimum} to {maximum}", is_valid, int)


def _real(minimum: float, maximum: float, expected: str) -> FaultOption:
    def is_valid(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and minimum <= value <= maximum

    return FaultOption(expected, is_valid, float)


def _hash(expected: str) -> FaultOption:
    def is_valid(value: object) -> bool:
        return value is None or (isinstance(value, str) and bool(_HASH.fullmatch(value)))

    return FaultOption(expected, is_valid, str.lower)


def _methods() -> FaultOption:
    def is_valid(value: object) -> bool:
        return isinstance(value, frozenset) and all(
            isinstance(name, str) and _METHOD.fullmatch(name) and not is_control_method(name)
            for name in value
        )

    def parse(text: str) -> object:
        return frozenset(text.split("+"))

    return FaultOption(
        "names of methods, joined by '+', without dev_ and evm_ methods", is_valid, parse
    )


def _text(*, optional: bool = False) -> FaultOption:
    def is_valid(value: object) -> bool:
        if value is None:
            return optional
        return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_LENGTH and value.isprintable()

    return FaultOption(f"1 to {MAX_TEXT_LENGTH} printable characters", is_valid, str)


def _choice(*allowed: str) -> FaultOption:
    return FaultOption(f"one of {', '.join(allowed)}", allowed.__contains__, str)


def _boolean() -> FaultOption:
    return FaultOption(
        "true or false", lambda value: isinstance(value, bool), _BOOLEANS.__getitem__
    )


_SECONDS = f"seconds from 0 to {MAX_SECONDS:g}"
_MAX_INTEGER = 2**63 - 1

OPTIONS: Mapping[str, FaultOption] = {
    "times": _whole(1, _MAX_INTEGER, expected="a whole number of 1 or more", optional=True),
    "probability": _real(0.0, 1.0, "a number from 0 to 1"),
    "methods": _methods(),
    "about": _hash("a hash: 0x and 64 hexadecimal digits in lower case"),
    "seconds": _real(0.0, MAX_SECONDS, _SECONDS),
    "retry_after": _whole(0, int(MAX_SECONDS), expected=f"whole {_SECONDS}", optional=True),
    "as_date": _boolean(),
    "status": _whole(500, 599),
    "share": _real(0.0, 0.99, "a number from 0 to 0.99"),
    "blocks": _whole(1, MAX_BLOCKS),
    "at": _hash("the hash of a block: 0x and 64 hexadecimal digits in lower case"),
    "limit": _whole(0, 1000),
    "code": _whole(-(2**31), 2**31 - 1),
    "message": _text(optional=True),
    "chain_id": _whole(1, _MAX_INTEGER),
    "http_status": _whole(200, 599),
    "depth": _whole(0, MAX_BLOCKS),
    "length": _whole(0, MAX_FORK_BLOCKS),
    "grows": _boolean(),
    "fork": _whole(0, MAX_BLOCKS, expected="the number of a fork: 0 or more", optional=True),
    "split": _boolean(),
    "renumbered": _boolean(),
    "part": _real(0.0, 1.0, "a number from 0 to 1"),
    "transaction": _hash("a transaction's hash: 0x and 64 hexadecimal digits in lower case"),
    "record": _choice("transaction", "receipt", "block"),
    "field": _text(),
    "value": _text(),
    "shape": _choice("zero", "empty"),
}
"""Options by field name; a field means the same in all fault classes."""
