"""Check the fields of a node's results, which are untrusted, and convert them to Python values."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from transaction_tracker.sources.errors import MalformedError

T = TypeVar("T")

HASH_PATTERN = "^0x[0-9a-fA-F]{64}$"
ZERO_HASH = "0x" + "0" * 64
ZERO_ADDRESS = "0x" + "0" * 40
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
RAW = re.compile(r"0x(?:[0-9a-fA-F]{2})+")

_HASH = re.compile(HASH_PATTERN.strip("^$"))
_DIGITS = re.compile(r"0x[0-9a-fA-F]*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_QUANTITY_CHARACTERS = 66
_ADDRESS_CHARACTERS = 42
# So many short texts are kept with their values: the fields of a transaction are read several
# times, and many transactions of a block have the same type, status, price and accounts.
_CACHED = 1024
_MAX_SHOWN = 80
_MAX_NUMBER = 2**53


def is_hash(text: str) -> bool:
    """Return whether the text is a 32-byte hash."""
    return _HASH.fullmatch(text) is not None


def is_null(value: object) -> bool:
    """Return whether the value is one of the forms in which nodes send ``null``.

    Source:
        Observed for ``blockHash``, ``blockNumber`` and ``chainId`` of pending and unprotected
        transactions: ``null``, an empty string, ``"0x"`` and the hash of 32 zero bytes.
    """
    return value is None or value in ("", "0x", ZERO_HASH)


def record(value: object, name: str) -> dict[str, Any]:
    """Return a JSON object, or raise ``MalformedError``."""
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def array(value: object, name: str) -> list[Any]:
    """Return a JSON array, or raise ``MalformedError``."""
    if not isinstance(value, list):
        raise wrong(name, "an array", value)
    return value


def hash32(value: object, name: str) -> str:
    """Return a 32-byte hash in lower case."""
    return _matching(_HASH, value, name, "a hash of 32 bytes")


def address(value: object, name: str) -> str:
    """Return an address in lower case."""
    if isinstance(value, str) and len(value) == _ADDRESS_CHARACTERS:
        found = _address(value)
        if found is not None:
            return found
    raise wrong(name, "an address of 20 bytes", value)


def data(value: object, name: str) -> str:
    """Return bytes as hexadecimal digits in lower case."""
    if not isinstance(value, str) or len(value) % 2:
        raise wrong(name, "bytes in hexadecimal", value)
    return _matching(_DIGITS, value, name, "bytes in hexadecimal")


def quantity(value: object, name: str) -> int:
    """Return a number of up to 32 bytes."""
    number = readable_quantity(value)
    if number is None:
        raise wrong(name, "a number in hexadecimal", value)
    return number


def readable_quantity(value: object) -> int | None:
    """Return a number of up to 32 bytes; ``None`` if it is not valid, as ``readable`` does."""
    if isinstance(value, str) and len(value) <= _QUANTITY_CHARACTERS:
        return _number(value)
    return None


def readable_number(value: object) -> int | None:
    """Return a number of up to 2 ** 53; ``None`` if it is not valid or larger.

    JSON numbers above it are not exact in many programs. No nonce or use of gas reaches it.
    """
    number = readable_quantity(value)
    return number if number is not None and number <= _MAX_NUMBER else None


def height(value: object, name: str) -> int:
    """Return a block number of at most 2 ** 53."""
    number = quantity(value, name)
    if number > _MAX_NUMBER:
        raise wrong(name, f"a number up to {_MAX_NUMBER}", value)
    return number


def readable(reader: Callable[[object, str], T], value: object) -> T | None:
    """Return the value as read by ``reader``; ``None`` if it is not valid.

    For fields that only a flag, a label or a fee needs: an unreadable one must never stop the
    chain.
    """
    if value is None:  # the common case: saves raising and catching an error
        return None
    try:
        return reader(value, "field")
    except MalformedError:
        return None


def wrong(name: str, expected: str, got: object) -> MalformedError:
    """Return the error for an invalid field, with the start of its value."""
    shown = repr(got)
    shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"
    return MalformedError(f"the node's {name} must be {expected}, got {shown}")


@lru_cache(maxsize=_CACHED)
def _address(text: str) -> str | None:
    return None if ADDRESS.fullmatch(text) is None else text.lower()


@lru_cache(maxsize=_CACHED)
def _number(text: str) -> int | None:
    return None if _QUANTITY.fullmatch(text) is None else int(text, 16)


def _matching(pattern: re.Pattern[str], value: object, name: str, expected: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise wrong(name, expected, value)
    return value.lower()
