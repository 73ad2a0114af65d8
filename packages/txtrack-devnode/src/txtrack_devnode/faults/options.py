"""The options of faults: what each may be, and how it is written in text."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LONGEST_TEXT = 200
MOST_SECONDS = 86_400.0
MOST_BLOCKS = 1_000_000
MAX_FORK_BLOCKS = 10_000
_HASH = re.compile(r"0x[0-9a-f]{64}")
_METHOD = re.compile(r"[a-z0-9]{1,20}_[A-Za-z0-9_]{1,60}")
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it must be, in words and as a check, and its reader from text."""

    wanted: str
    fits: Callable[[object], bool]
    read: Callable[[str], object]


def exempt(method: str) -> bool:
    """Say whether a method controls this node: faults never touch those."""
    return method.startswith(("dev_", "evm_"))


def written(value: object) -> str:
    """Write an option's value as its reader reads it."""
    if isinstance(value, frozenset):
        return "+".join(sorted(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(least: int, most: int, *, wanted: str | None = None, empty: bool = False) -> Option:
    def fits(value: object) -> bool:
        if value is None:
            return empty
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return Option(wanted or f"a whole number from {least} to {most}", fits, int)


def _real(least: float, most: float, wanted: str) -> Option:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and least <= value <= most

    return Option(wanted, fits, float)


def _hash(wanted: str) -> Option:
    def fits(value: object) -> bool:
        return value is None or (isinstance(value, str) and bool(_HASH.fullmatch(value)))

    return Option(wanted, fits, str.lower)


def _methods() -> Option:
    def fits(value: object) -> bool:
        return isinstance(value, frozenset) and all(
            isinstance(name, str) and _METHOD.fullmatch(name) and not exempt(name) for name in value
        )

    def read(text: str) -> object:
        return frozenset(text.split("+"))

    return Option("names of methods, joined by '+', none of them dev_ or evm_", fits, read)


def _text(*, empty: bool = False) -> Option:
    def fits(value: object) -> bool:
        if value is None:
            return empty
        return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()

    return Option(f"1 to {LONGEST_TEXT} printable letters", fits, str)


def _choice(*allowed: str) -> Option:
    return Option(f"one of {', '.join(allowed)}", allowed.__contains__, str)


def _truth() -> Option:
    return Option("true or false", lambda value: isinstance(value, bool), _TRUTHS.__getitem__)


_SECONDS = f"seconds from 0 to {MOST_SECONDS:g}"
_LARGEST = 2**63 - 1

OPTIONS: Mapping[str, Option] = {
    "times": _whole(1, _LARGEST, wanted="a whole number of 1 or more", empty=True),
    "probability": _real(0.0, 1.0, "a number from 0 to 1"),
    "methods": _methods(),
    "about": _hash("a hash: 0x and 64 hexadecimal digits in lower case"),
    "seconds": _real(0.0, MOST_SECONDS, _SECONDS),
    "retry_after": _whole(0, int(MOST_SECONDS), wanted=f"whole {_SECONDS}", empty=True),
    "as_date": _truth(),
    "status": _whole(500, 599),
    "share": _real(0.0, 0.99, "a number from 0 to 0.99"),
    "blocks": _whole(1, MOST_BLOCKS),
    "at": _hash("the hash of a block: 0x and 64 hexadecimal digits in lower case"),
    "limit": _whole(0, 1000),
    "code": _whole(-(2**31), 2**31 - 1),
    "message": _text(empty=True),
    "chain_id": _whole(1, _LARGEST),
    "http_status": _whole(200, 599),
    "depth": _whole(0, MOST_BLOCKS),
    "length": _whole(0, MAX_FORK_BLOCKS),
    "grows": _truth(),
    "fork": _whole(0, MOST_BLOCKS, wanted="the number of a fork: 0 or more", empty=True),
    "split": _truth(),
    "renumbered": _truth(),
    "part": _real(0.0, 1.0, "a number from 0 to 1"),
    "transaction": _hash("a transaction's hash: 0x and 64 hexadecimal digits in lower case"),
    "record": _choice("transaction", "receipt", "block"),
    "field": _text(),
    "value": _text(),
    "shape": _choice("zero", "empty"),
}
"""By the names of the fields of fault classes, which mean the same in all of them."""
