"""Read the fields of Bitcoin Core's answers; a wrong one raises ``MalformedError``."""

import re
from decimal import Decimal
from typing import Any

from transaction_tracker.domain import Link
from transaction_tracker.sources.bitcoin.raw import MAX_SATOSHI
from transaction_tracker.sources.errors import MalformedError

ID_PATTERN = "[0-9a-fA-F]{64}"
MAX_HEIGHT = 2**32
_HASH = re.compile("[0-9a-f]{64}")
_NAME = re.compile("[a-z0-9]{1,20}")
_GENESIS_PARENT = "0" * 64
_MAX_SHOWN_CHARACTERS = 60
_SATOSHI = Decimal(10**8)


def record(value: object, name: str) -> dict[str, Any]:
    """Return an object."""
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def block_hash(value: object) -> str:
    """Return the hash of a block."""
    return hash32(value, "block hash")


def hash32(value: object, name: str) -> str:
    """Return a hash or an id of 32 bytes."""
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise wrong(name, "64 hexadecimal digits", value)
    return value


def height(value: object, name: str) -> int:
    """Return the height of a block."""
    if type(value) is not int or not 0 <= value < MAX_HEIGHT:
        raise wrong(name, f"a whole number from 0 to {MAX_HEIGHT - 1}", value)
    return value


def satoshi(value: object, name: str) -> int:
    """Return an amount in satoshi, from bitcoins with at most eight decimals."""
    amount = Decimal(value) if type(value) is int else value
    if isinstance(amount, Decimal) and amount.is_finite() and abs(amount.adjusted()) < 20:
        found = amount * _SATOSHI
        if found == found.to_integral_value() and 0 <= found <= MAX_SATOSHI:
            return int(found)
    raise wrong(name, "an amount in bitcoins with at most eight decimals", value)


def link(value: object) -> Link:
    """Return the link in a block's header; the first block has no parent."""
    header = record(value, "block header")
    number = height(header.get("height"), "block height")
    parent = header.get("previousblockhash", _GENESIS_PARENT if number == 0 else None)
    return Link(number, block_hash(header.get("hash")), hash32(parent, "previousblockhash"))


def network_name(value: object) -> str:
    """Return the name of the network in the state of a chain."""
    name = record(value, "getblockchaininfo").get("chain")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise wrong("chain", "the name of a network", name)
    return name


def wrong(name: str, expected: str, got: object) -> MalformedError:
    """Return the error for an invalid field, with the start of its value."""
    shown = repr(got)[:_MAX_SHOWN_CHARACTERS]
    return MalformedError(f"the node's {name} must be {expected}, got {shown}")


def is_hash(text: str) -> bool:
    """Return whether a text has the form of a hash."""
    return _HASH.fullmatch(text) is not None
