"""Encodes Python values in the external term format."""

import math
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache
from struct import Struct
from typing import Any

from beamish.erlang._format.context import (
    MAX_ATOM_CHARACTERS,
    MAX_DEPTH,
    MAX_INTEGER_BYTES,
    TAG,
    VERSION,
    TermContext,
    shown,
)
from beamish.erlang.errors import TermError
from beamish.erlang.terms import (
    Atom,
    BitString,
    ErlangFunction,
    ErlangPort,
    ErlangRef,
    ImproperList,
    MapPairs,
    OpaqueFunction,
    ProcessIdentity,
)
from beamish.pid import Pid

_INTEGER = Struct(">Bi").pack
_LENGTH = Struct(">BI").pack
_FLOAT = Struct(">Bd").pack
_PID = Struct(">III").pack
_PORT = Struct(">QI").pack
_REFERENCE = Struct(">BH").pack
_MAX_WORD = 2**32 - 1
_MAX_WORDS = 5  # of a reference

_KINDS = (
    "None, bool, int, float, str, bytes, Atom, tuple, list, dict, Pid, the classes of "
    "beamish.erlang, and the dataclasses given to ErlangNode(structs=)"
)


class Encoder:
    """Appends encoded terms to ``out``."""

    def __init__(self, context: TermContext, out: bytearray) -> None:
        self.out = out
        self._context = context
        self._depth = 0

    def term(self, value: Any) -> None:
        """Append one term.

        Raises:
            TermError: It has no form in Erlang.
        """
        write = _WRITERS.get(value.__class__)
        if write is None:
            self._other(value)
        else:
            write(self, value)

    # -- Numbers and atoms

    def _constant(self, value: bool | None) -> None:
        self._atom("nil" if value is None else "true" if value else "false")

    def _atom(self, value: str) -> None:
        self.out += _encoded_atom(value)

    def _int(self, value: int) -> None:
        if 0 <= value < 256:
            self.out += bytes((TAG["small_integer"], value))
        elif -(2**31) <= value < 2**31:
            self.out += _INTEGER(TAG["integer"], value)
        else:
            self._big(value)

    def _big(self, value: int) -> None:
        size = (value.bit_length() + 7) // 8
        if size > MAX_INTEGER_BYTES:
            raise TermError(f"an integer has at most {MAX_INTEGER_BYTES} bytes; got {size}")
        if size < 256:
            self.out += bytes((TAG["small_big"], size))
        else:
            self.out += _LENGTH(TAG["large_big"], size)
        self.out.append(value < 0)
        self.out += abs(value).to_bytes(size, "little")

    def _float(self, value: float) -> None:
        if not math.isfinite(value):
            raise TermError(f"Erlang has no infinity and no NaN; got {shown(value)}")
        self.out += _FLOAT(TAG["float"], value)

    # -- Binaries

    def _text(self, value: str) -> None:
        self._binary(_utf8(value))

    def _binary(self, value: bytes | bytearray | memoryview) -> None:
        data = bytes(value)
        self.out += _LENGTH(TAG["binary"], len(data))
        self.out += data

    def _bits(self, value: BitString) -> None:
        self.out += _LENGTH(TAG["bit_binary"], len(value.data))
        self.out.append(value.last_bits)
        self.out += value.data

    # -- Containers

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if len(value) < 256:
            self.out += bytes((TAG["small_tuple"], len(value)))
        else:
            self.out += _LENGTH(TAG["large_tuple"], len(value))
        self._all(value)

    def _list(self, value: list[Any]) -> None:
        if value:
            self.out += _LENGTH(TAG["list"], len(value))
            self._all(value)
        self.out.append(TAG["nil"])

    def _improper(self, value: ImproperList) -> None:
        if not value.elements:
            raise TermError(f"an ImproperList has at least one element; got {shown(value)}")
        self.out += _LENGTH(TAG["list"], len(value.elements))
        self._all((*value.elements, value.tail))

    def _dict(self, value: dict[Any, Any]) -> None:
        self.out += _LENGTH(TAG["map"], len(value))
        self._all([part for pair in value.items() for part in pair])

    def _pairs(self, value: MapPairs) -> None:
        self.out += _LENGTH(TAG["map"], len(value.pairs))
        self._all([part for pair in value.pairs for part in pair])

    def _all(self, values: list[Any] | tuple[Any, ...]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TermError(f"terms can be nested {MAX_DEPTH} deep; this one is deeper, or a cycle")
        for value in values:
            write = _WRITERS.get(value.__class__)
            if write is None:
                self._other(value)
            else:
                write(self, value)
        self._depth -= 1

    # -- Identities

    def _pid(self, value: Pid) -> None:
        identity = self._context.identity(value)
        if isinstance(identity, ProcessIdentity):
            self._identity(identity)
        else:
            self._tuple(identity)

    def _identity(self, value: ProcessIdentity) -> None:
        node, *words = value
        self.out.append(TAG["pid"])
        self._atom(node)
        self.out += _PID(*_words(words, value))

    def _reference(self, value: ErlangRef) -> None:
        if not 1 <= len(value.words) <= _MAX_WORDS:
            raise TermError(f"a reference has 1 to {_MAX_WORDS} words; got {shown(value)}")
        self.out += _REFERENCE(TAG["reference"], len(value.words))
        self._atom(value.node)
        for word in _words((value.creation, *value.words), value):
            self.out += word.to_bytes(4, "big")

    def _port(self, value: ErlangPort) -> None:
        self.out.append(TAG["v4_port"])
        self._atom(value.node)
        self.out += _PORT(value.number, value.creation)

    def _function(self, value: ErlangFunction) -> None:
        self.out.append(TAG["export"])
        self._atom(value.module)
        self._atom(value.function)
        self._int(value.arity)

    def _opaque(self, value: OpaqueFunction) -> None:
        self.out.append(TAG["function"])
        self.out += value.encoded

    # -- Subclasses and dataclasses

    def _other(self, value: Any) -> None:
        for cls, write in _WRITERS.items():
            if isinstance(value, cls):
                write(self, value)
                return
        fields = self._context.structs.to_map(value) if is_dataclass(value) else None
        if fields is None:
            raise TermError(f"only {_KINDS} can be sent to Erlang; got {shown(value)}")
        self._dict(fields)


@lru_cache(maxsize=4096)
def _encoded_atom(value: str) -> bytes:
    if len(value) > MAX_ATOM_CHARACTERS:
        raise TermError(f"an atom has at most {MAX_ATOM_CHARACTERS} characters; got {len(value)}")
    data = _utf8(value)
    if len(data) < 256:
        return bytes((TAG["small_atom"], len(data))) + data
    return bytes((TAG["atom"], *divmod(len(data), 256))) + data


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise TermError(f"a string must be valid Unicode to be sent; got {shown(value)}") from error


def _words(words: Any, value: object) -> Any:
    if any(not 0 <= word <= _MAX_WORD for word in words):
        raise TermError(f"the numbers of an identity must fit 32 bits; got {shown(value)}")
    return words


# In this order for subclasses: an `Atom` is a str, a bool is an int, an identity is a tuple.
_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    Atom: Encoder._atom,
    bool: Encoder._constant,
    type(None): Encoder._constant,
    int: Encoder._int,
    float: Encoder._float,
    str: Encoder._text,
    bytes: Encoder._binary,
    ProcessIdentity: Encoder._identity,
    tuple: Encoder._tuple,
    list: Encoder._list,
    dict: Encoder._dict,
    Pid: Encoder._pid,
    ErlangRef: Encoder._reference,
    ErlangPort: Encoder._port,
    ErlangFunction: Encoder._function,
    OpaqueFunction: Encoder._opaque,
    BitString: Encoder._bits,
    ImproperList: Encoder._improper,
    MapPairs: Encoder._pairs,
    bytearray: Encoder._binary,
    memoryview: Encoder._binary,
}


def encode(context: TermContext, *values: Any) -> bytearray:
    """Return the terms, each behind the version byte.

    Raises:
        TermError: A value has no form in Erlang.
    """
    out = bytearray()
    encoder = Encoder(context, out)
    for value in values:
        out.append(VERSION)
        encoder.term(value)
    return out
