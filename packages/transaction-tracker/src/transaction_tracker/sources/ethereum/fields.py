"""Fields of a node's answers: untrusted, checked, turned into Python values."""

import re
from typing import Any

from transaction_tracker.sources.errors import MalformedError

HASH_PATTERN = "^0x[0-9a-fA-F]{64}$"

_HASH = re.compile(HASH_PATTERN.strip("^$"))
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_SHOWN = 80
_HIGHEST = 2**53


def is_hash(text: str) -> bool:
    """Say whether the text is a 32-byte hash."""
    return _HASH.fullmatch(text) is not None


def record(value: object, what: str) -> dict[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        raise wrong(what, "an object", value)
    return value


def array(value: object, what: str) -> list[Any]:
    """Read an array."""
    if not isinstance(value, list):
        raise wrong(what, "an array", value)
    return value


def hash32(value: object, what: str) -> str:
    """Read a 32-byte hash, in lower case."""
    return _matching(_HASH, value, what, "a hash of 32 bytes")


def address(value: object, what: str) -> str:
    """Read an address, in lower case."""
    return _matching(_ADDRESS, value, what, "an address of 20 bytes")


def data(value: object, what: str) -> str:
    """Read bytes, in lower case."""
    return _matching(_DATA, value, what, "bytes in hexadecimal")


def quantity(value: object, what: str) -> int:
    """Read a number of up to 32 bytes."""
    return int(_matching(_QUANTITY, value, what, "a number in hexadecimal"), 16)


def height(value: object, what: str) -> int:
    """Read a number that is a place in a chain, and so not an astronomical one."""
    number = quantity(value, what)
    if number > _HIGHEST:
        raise wrong(what, f"a number up to {_HIGHEST}", value)
    return number


def wrong(what: str, expected: str, got: object) -> MalformedError:
    """Say which field is wrong, what was expected and how what came begins."""
    shown = repr(got)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    return MalformedError(f"the node's {what} must be {expected}, got {shown}")


def _matching(pattern: re.Pattern[str], value: object, what: str, expected: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise wrong(what, expected, value)
    return value.lower()
