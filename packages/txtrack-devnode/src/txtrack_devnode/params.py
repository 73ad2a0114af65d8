"""Check untrusted parameters of JSON-RPC requests and convert them to Python values."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from txtrack_devnode.rpc import INVALID_PARAMS, RpcError

T = TypeVar("T", bound=str)
Value = TypeVar("Value")

TAGS = ("latest", "safe", "finalized", "earliest", "pending")

BlockRef = int | str
"""A height, one of ``TAGS`` or a block hash."""

_HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_DATA = re.compile(r"0x([0-9a-f]{2})*", re.IGNORECASE)
_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})", re.IGNORECASE)

_QUANTITY_FORM = "0x and hexadecimal digits without a leading zero"


def invalid(name: str, expected: str, value: object) -> RpcError:
    """Return the error for an invalid parameter."""
    return RpcError(INVALID_PARAMS, f"{name} must be {expected}, got {_shortened(value)}")


def hash32(value: object, name: str = "the hash") -> str:
    """Parse a 32-byte hash."""
    return _match(_HASH, value, name, "0x and 64 hexadecimal digits")


def address(value: object, name: str = "the address") -> str:
    """Parse a 20-byte address."""
    return _match(_ADDRESS, value, name, "0x and 40 hexadecimal digits")


def data(value: object, name: str = "the data") -> str:
    """Parse bytes of any length."""
    return _match(_DATA, value, name, "0x and an even number of hexadecimal digits")


def quantity(value: object, name: str) -> int:
    """Parse a number in Ethereum's notation."""
    return int(_match(_QUANTITY, value, name, f"{_QUANTITY_FORM}, at most 64"), 16)


def number(value: object, name: str) -> int:
    """Parse a number as JSON or in Ethereum's notation; the ``dev_`` methods accept both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return quantity(value, name)


def text(value: object, name: str) -> str:
    """Check that a value is a string."""
    if not isinstance(value, str):
        raise invalid(name, "a string", value)
    return value


def choice(value: object, allowed: Iterable[T], name: str) -> T:
    """Check that a value is one of the ``allowed`` strings."""
    for item in allowed:
        if item == value:
            return item
    raise invalid(name, "one of " + ", ".join(allowed), value)


def flag(value: object, name: str) -> bool:
    """Check that a value is true or false."""
    if not isinstance(value, bool):
        raise invalid(name, "true or false", value)
    return value


def fields(value: object, allowed: Iterable[str], name: str) -> Mapping[str, object]:
    """Check that a value is an object with only ``allowed`` fields."""
    if not isinstance(value, dict):
        raise invalid(name, "an object", value)
    unknown = sorted(value.keys() - set(allowed))
    if unknown:
        raise invalid(name, "an object with some of " + ", ".join(allowed), unknown)
    return value


def optional(
    fields: Mapping[str, object], name: str, parse: Callable[[object, str], Value]
) -> Value | None:
    """Parse an optional field; return ``None`` if it is missing or ``null``."""
    value = fields.get(name)
    return None if value is None else parse(value, name)


def block_number(value: object) -> BlockRef:
    """Parse a height or a tag."""
    if isinstance(value, str) and value in TAGS:
        return value
    expected = f"a height ({_QUANTITY_FORM}) or one of {', '.join(TAGS)}"
    return int(_match(_QUANTITY, value, "the block", expected), 16)


def block_ref(value: object) -> BlockRef:
    """Parse a height, a tag, a hash, or an object with ``blockHash`` or ``blockNumber``."""
    if isinstance(value, dict):
        found = fields(value, ("blockHash", "blockNumber", "requireCanonical"), "the block")
        if "blockHash" in found:
            return hash32(found["blockHash"], "blockHash")
        return block_number(found.get("blockNumber"))
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value.lower()
    return block_number(value)


def _match(pattern: re.Pattern[str], value: object, name: str, expected: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise invalid(name, expected, value)
    return value.lower()


def _shortened(value: object) -> str:
    written = repr(value)
    return written if len(written) <= 80 else written[:77] + "..."
