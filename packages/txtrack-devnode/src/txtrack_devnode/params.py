"""Parameters of JSON-RPC requests: untrusted, checked, turned into Python values."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from txtrack_devnode.rpc import INVALID_PARAMS, RpcError

T = TypeVar("T", bound=str)
Value = TypeVar("Value")

TAGS = ("latest", "safe", "finalized", "earliest", "pending")

BlockRef = int | str
"""A height, one of ``TAGS`` or a block's hash."""

_HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_DATA = re.compile(r"0x([0-9a-f]{2})*", re.IGNORECASE)
_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})", re.IGNORECASE)


_QUANTITY_FORM = "0x and hexadecimal digits without a leading zero"


def invalid(name: str, wanted: str, got: object) -> RpcError:
    """Say which parameter is wrong, what was expected and what came."""
    return RpcError(INVALID_PARAMS, f"{name} must be {wanted}, got {_shortened(got)}")


def hash32(value: object, name: str = "the hash") -> str:
    """Read a 32-byte hash."""
    return _match(_HASH, value, name, "0x and 64 hexadecimal digits")


def address(value: object, name: str = "the address") -> str:
    """Read a 20-byte address."""
    return _match(_ADDRESS, value, name, "0x and 40 hexadecimal digits")


def data(value: object, name: str = "the data") -> str:
    """Read bytes of any length."""
    return _match(_DATA, value, name, "0x and an even number of hexadecimal digits")


def quantity(value: object, name: str) -> int:
    """Read a number in Ethereum's notation."""
    return int(_match(_QUANTITY, value, name, f"{_QUANTITY_FORM}, at most 64"), 16)


def number(value: object, name: str) -> int:
    """Read a number as plain JSON or in Ethereum's notation, as the ``dev_`` methods take it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return quantity(value, name)


def text(value: object, name: str) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise invalid(name, "a string", value)
    return value


def choice(value: object, allowed: Iterable[T], name: str) -> T:
    """Read one of the ``allowed`` strings."""
    for item in allowed:
        if item == value:
            return item
    raise invalid(name, "one of " + ", ".join(allowed), value)


def flag(value: object, name: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise invalid(name, "true or false", value)
    return value


def fields(value: object, allowed: Iterable[str], name: str) -> Mapping[str, object]:
    """Read an object that has no other fields than those ``allowed``."""
    if not isinstance(value, dict):
        raise invalid(name, "an object", value)
    unknown = sorted(value.keys() - set(allowed))
    if unknown:
        raise invalid(name, "an object with some of " + ", ".join(allowed), unknown)
    return value


def optional(
    given: Mapping[str, object], name: str, read: Callable[[object, str], Value]
) -> Value | None:
    """Read a field that may be left out or ``null``."""
    value = given.get(name)
    return None if value is None else read(value, name)


def block_number(value: object) -> BlockRef:
    """Read a height or a tag."""
    if isinstance(value, str) and value in TAGS:
        return value
    wanted = f"a height ({_QUANTITY_FORM}) or one of {', '.join(TAGS)}"
    return int(_match(_QUANTITY, value, "the block", wanted), 16)


def block_ref(value: object) -> BlockRef:
    """Read a height, a tag, a hash, or an object with ``blockHash`` or ``blockNumber``."""
    if isinstance(value, dict):
        found = fields(value, ("blockHash", "blockNumber", "requireCanonical"), "the block")
        if "blockHash" in found:
            return hash32(found["blockHash"], "blockHash")
        return block_number(found.get("blockNumber"))
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value.lower()
    return block_number(value)


def _match(pattern: re.Pattern[str], value: object, name: str, wanted: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise invalid(name, wanted, value)
    return value.lower()


def _shortened(value: object) -> str:
    written = repr(value)
    return written if len(written) <= 80 else written[:77] + "..."
