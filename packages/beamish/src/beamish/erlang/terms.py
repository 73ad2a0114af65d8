"""Erlang terms that have no counterpart in Python.

All other terms are Python values:

- Integers and floats are ``int`` and ``float``.
- ``true``, ``false`` and ``nil`` are ``True``, ``False`` and ``None``; any other atom is an `Atom`.
- A binary is ``bytes``, or ``str`` with ``ErlangNode(text=True)``; a ``str`` is sent as UTF-8.
- Tuples and lists are ``tuple`` and ``list``.
- A map is a ``dict``, or `MapPairs` if Python cannot tell its keys apart.
- A struct of ``ErlangNode(structs=)`` is a dataclass, any other one a map.
- A pid is a `Pid`.

Source:
    The "External Term Format" of the Erlang Run-Time System.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Atom(str):
    """An atom: a string that is sent as an atom.

    ``Atom("add") == "add"``, and in a ``match`` statement ``Atom("add")`` matches atoms only. Never
    make atoms from untrusted input: the BEAM keeps every atom until it exits.

    Source:
        Erlang's ``atom()``.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Atom({str.__repr__(self)})"


class ProcessIdentity(NamedTuple):
    """The parts of a pid: node, number, serial and the creation of the node.

    Source:
        ``NEW_PID_EXT``.
    """

    node: str
    number: int
    serial: int
    creation: int


@dataclass(frozen=True, slots=True)
class ErlangRef:
    """A reference of an Erlang node.

    Source:
        ``NEWER_REFERENCE_EXT``.
    """

    node: str
    creation: int
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ErlangPort:
    """A port of an Erlang node.

    Source:
        ``V4_PORT_EXT`` and ``NEW_PORT_EXT``.
    """

    node: str
    number: int
    creation: int


@dataclass(frozen=True, slots=True)
class ErlangFunction:
    """A function of a module, such as ``fun lists:sort/1`` or ``&Enum.sort/1``.

    Source:
        ``EXPORT_EXT``.
    """

    module: str
    function: str
    arity: int


@dataclass(frozen=True, slots=True)
class OpaqueFunction:
    """An anonymous function. Python cannot call it, but can send it back.

    Args:
        encoded: Its encoding, after the tag.

    Source:
        ``NEW_FUN_EXT``.
    """

    encoded: bytes


@dataclass(frozen=True, slots=True)
class BitString:
    """A bit string whose length is not a multiple of eight bits.

    Args:
        data: The bits, from the most significant one; the unused ones of the last byte are 0.
        last_bits: Number of bits in the last byte, 1 to 7.

    Source:
        ``BIT_BINARY_EXT``.
    """

    data: bytes
    last_bits: int


@dataclass(frozen=True, slots=True)
class ImproperList:
    """A list that does not end with an empty list, such as ``[1 | 2]``."""

    elements: tuple[Any, ...]
    tail: Any


@dataclass(frozen=True, slots=True)
class MapPairs:
    """A map that cannot be a `dict`.

    Its keys are equal in Python (``1``, ``1.0`` and ``true``), or are lists or maps.
    """

    pairs: tuple[tuple[Any, Any], ...]
