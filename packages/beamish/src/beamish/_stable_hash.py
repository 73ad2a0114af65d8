"""A hash that is the same in every run of every program, unlike Python's ``hash``."""

import dataclasses
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from typing import Any

from beamish.pid import Pid, Ref


def stable_hash(key: Any) -> int:
    """Return a hash of ``key``; equal keys of the types below have equal hashes.

    Args:
        key: ``None``, a number, string, bytes, pid, reference or enumeration member; a tuple,
            frozenset or dataclass of these; or any object whose ``repr`` shows its value.

    Raises:
        TypeError: The ``repr`` of ``key``, or of a part of it, shows only its address.
    """
    return int.from_bytes(blake2b(_encoded(key), digest_size=8).digest(), "big")


def whole_number(key: Any) -> int | None:
    """Return ``key`` as an integer if it equals one: 2 for 2.0, 1 for True."""
    if isinstance(key, int):
        return int(key)
    return int(key) if isinstance(key, float) and key.is_integer() else None


def _encoded(key: Any) -> bytes:
    """Return an unambiguous encoding of ``key``."""
    number = whole_number(key)
    if number is not None:
        return b"i%x" % number
    match key:
        case None:
            return b"n"
        case str():
            return b"s" + key.encode("utf-8", "surrogatepass")
        case bytes():
            return b"b" + key
        case tuple():
            return b"t" + _joined(map(_encoded, key))
        case frozenset():
            return b"z" + _joined(sorted(map(_encoded, key)))
        case Pid() | Ref():
            return b"p%x" % key.serial
        case Enum():
            return b"e" + _joined((_type(key), key.name.encode()))
        case _:
            return _other(key)


def _other(key: Any) -> bytes:
    if dataclasses.is_dataclass(key) and not isinstance(key, type):
        fields = (getattr(key, field.name) for field in dataclasses.fields(key))
        return b"d" + _joined((_type(key), *map(_encoded, fields)))
    shown: Any = type(key).__repr__
    if shown is object.__repr__:
        raise TypeError(
            f"no stable hash for {key!r}: use a string, a number, a pid or a tuple of these, or "
            f"give {type(key).__qualname__} a __repr__ that shows its value"
        )
    return b"r" + _joined((_type(key), repr(key).encode("utf-8", "surrogatepass")))


def _type(value: Any) -> bytes:
    return type(value).__qualname__.encode()


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"%x:%s" % (len(part), part) for part in parts)
