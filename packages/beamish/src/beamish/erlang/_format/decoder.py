"""Decodes the external term format; input can come from any peer."""

import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from beamish.erlang._format.context import (
    ATOM_VALUES,
    MAX_ATOM_CHARACTERS,
    MAX_DEPTH,
    MAX_INTEGER_BYTES,
    MAX_TERMS,
    TAG,
    VERSION,
    TermContext,
    shown,
)
from beamish.erlang.errors import TermError
from beamish.erlang.structs import STRUCT
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

_INTEGER = struct.Struct(">i").unpack_from
_UNSIGNED = struct.Struct(">I").unpack_from
_SHORT = struct.Struct(">H").unpack_from
_FLOAT = struct.Struct(">d").unpack_from
_PID = struct.Struct(">III").unpack_from
_V4_PORT = struct.Struct(">QI").unpack_from
_PORT = struct.Struct(">II").unpack_from
_MAX_WORDS = 5  # of a reference


class Decoder:
    """Reads terms from ``data``, starting at ``position``."""

    def __init__(self, context: TermContext, data: bytes, position: int = 0) -> None:
        self.position = position
        self._context = context
        self._data = data
        self._depth = 0
        self._terms_left = MAX_TERMS

    @property
    def at_end(self) -> bool:
        """Whether all bytes are read."""
        return self.position == len(self._data)

    def versioned_term(self) -> Any:
        """Read a version byte and a term.

        Raises:
            TermError: The bytes are not a valid term.
        """
        try:
            version = self._data[self.position]
            if version != VERSION:
                raise TermError(f"a term must begin with the byte {VERSION}; got {version}")
            self.position += 1
            return self._term()
        except (IndexError, struct.error) as error:
            raise TermError(f"the term is cut off after {len(self._data)} bytes") from error
        except UnicodeDecodeError as error:
            raise TermError(f"an atom must be valid UTF-8; got {shown(error.object)}") from error

    def _term(self) -> Any:
        tag = self._data[self.position]
        read = _READERS.get(tag)
        if read is None:
            raise TermError(f"unknown tag {tag} at byte {self.position}")
        self.position += 1
        return read(self)

    def _take(self, size: int) -> bytes:
        start, end = self.position, self.position + size
        if end > len(self._data):
            raise TermError(f"a value of {size} bytes at byte {start} of {len(self._data)}")
        self.position = end
        return self._data[start:end]

    def _unpack(self, unpack: Callable[[bytes, int], tuple[Any, ...]], size: int) -> Any:
        values = unpack(self._data, self.position)
        self.position += size
        return values

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _length(self) -> int:
        (length,) = self._unpack(_UNSIGNED, 4)
        return int(length)

    # -- Numbers and atoms

    def _small_integer(self) -> int:
        return self._byte()

    def _integer(self) -> Any:
        return self._unpack(_INTEGER, 4)[0]

    def _small_big(self) -> int:
        return self._big(self._byte())

    def _large_big(self) -> int:
        return self._big(self._length())

    def _big(self, size: int) -> int:
        if size > MAX_INTEGER_BYTES:
            raise TermError(f"an integer has at most {MAX_INTEGER_BYTES} bytes; got {size}")
        negative = self._byte()
        value = int.from_bytes(self._take(size), "little")
        return -value if negative else value

    def _float(self) -> float:
        (value,) = self._unpack(_FLOAT, 8)
        if not math.isfinite(value):
            raise TermError(f"Erlang has no infinity and no NaN; got {shown(value)}")
        return float(value)

    def _atom(self) -> Any:
        return _atom_value(self._take(self._unpack(_SHORT, 2)[0]), "utf-8")

    def _small_atom(self) -> Any:
        return _atom_value(self._take(self._byte()), "utf-8")

    def _atom_latin1(self) -> Any:
        return _atom_value(self._take(self._unpack(_SHORT, 2)[0]), "latin-1")

    def _small_atom_latin1(self) -> Any:
        return _atom_value(self._take(self._byte()), "latin-1")

    def _name(self) -> str:
        """Read an atom that names a node, a module or a function."""
        tag = self._data[self.position]
        read = _ATOM_READERS.get(tag)
        if read is None:
            raise TermError(f"expected an atom at byte {self.position}; got the tag {tag}")
        self.position += 1
        value = read(self)
        return value if isinstance(value, Atom) else Atom(_CONSTANT_NAMES[value])

    # -- Binaries

    def _binary(self) -> bytes | str:
        data = self._take(self._length())
        if self._context.text:
            try:
                return data.decode()
            except UnicodeDecodeError:
                return data
        return data

    def _bits(self) -> BitString:
        size, last_bits = self._length(), self._byte()
        if not 1 <= last_bits <= 8 or not size:
            raise TermError(f"a bit string ends with 1 to 8 bits; got {last_bits} of {size} bytes")
        return BitString(self._take(size), last_bits)

    # -- Containers

    def _elements(self, count: int) -> list[Any]:
        """Read ``count`` terms, each of which takes at least one byte."""
        if count > len(self._data) - self.position:
            raise TermError(f"{count} elements at byte {self.position} of {len(self._data)}")
        self._terms_left -= count
        if self._terms_left < 0:
            raise TermError(f"a message has at most {MAX_TERMS} elements; this one has more")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TermError(f"terms can be nested {MAX_DEPTH} deep; this one is deeper")
        values = []
        data, readers = self._data, _READERS
        for _ in range(count):
            read = readers.get(data[self.position])
            if read is None:
                self._term()  # raises
            self.position += 1
            values.append(read(self))  # type: ignore[misc] # not None
        self._depth -= 1
        return values

    def _small_tuple(self) -> tuple[Any, ...]:
        return tuple(self._elements(self._byte()))

    def _large_tuple(self) -> tuple[Any, ...]:
        return tuple(self._elements(self._length()))

    def _nil(self) -> list[Any]:
        return []

    def _string(self) -> list[int]:
        return list(self._take(self._unpack(_SHORT, 2)[0]))

    def _list(self) -> list[Any] | ImproperList:
        *elements, tail = self._elements(self._length() + 1)
        if isinstance(tail, list):
            return elements + tail if tail else elements
        if isinstance(tail, ImproperList):
            return ImproperList((*elements, *tail.elements), tail.tail)
        return ImproperList(tuple(elements), tail) if elements else tail

    def _map(self) -> Any:
        values = self._elements(2 * self._length())
        pairs = tuple(zip(values[::2], values[1::2], strict=True))
        try:
            found = dict(pairs)
        except TypeError:  # a key that is a list or a map
            return MapPairs(pairs)
        if len(found) != len(pairs):
            return MapPairs(pairs)
        structs = self._context.structs
        if structs and isinstance(found.get(STRUCT), Atom):
            return structs.from_map(found)
        return found

    # -- Identities

    def _pid(self) -> Any:
        node = self._name()
        return self._context.pid(ProcessIdentity(node, *self._unpack(_PID, 12)))

    def _reference(self) -> ErlangRef:
        (count,) = self._unpack(_SHORT, 2)
        if not 1 <= count <= _MAX_WORDS:
            raise TermError(f"a reference has 1 to {_MAX_WORDS} words; got {count}")
        node = self._name()
        (creation,) = self._unpack(_UNSIGNED, 4)
        return ErlangRef(node, creation, struct.unpack(f">{count}I", self._take(4 * count)))

    def _v4_port(self) -> ErlangPort:
        return ErlangPort(self._name(), *self._unpack(_V4_PORT, 12))

    def _port(self) -> ErlangPort:
        return ErlangPort(self._name(), *self._unpack(_PORT, 8))

    def _export(self) -> ErlangFunction:
        module, function, arity = self._name(), self._name(), self._term()
        if type(arity) is not int:
            raise TermError(f"the arity of a function must be an integer; got {shown(arity)}")
        return ErlangFunction(module, function, arity)

    def _function(self) -> OpaqueFunction:
        size = self._length()  # with the four bytes of the size
        self.position -= 4
        return OpaqueFunction(self._take(max(size, 4)))


@lru_cache(maxsize=4096)
def _atom_value(data: bytes, encoding: str) -> Any:
    text = data.decode(encoding)
    if len(text) > MAX_ATOM_CHARACTERS:
        raise TermError(f"an atom has at most {MAX_ATOM_CHARACTERS} characters; got {len(text)}")
    return ATOM_VALUES[text] if text in ATOM_VALUES else Atom(text)


_CONSTANT_NAMES = {value: text for text, value in ATOM_VALUES.items()}

_READERS: dict[int, Callable[[Decoder], Any]] = {
    TAG["small_atom"]: Decoder._small_atom,
    TAG["atom"]: Decoder._atom,
    TAG["atom_latin1"]: Decoder._atom_latin1,
    TAG["small_atom_latin1"]: Decoder._small_atom_latin1,
    TAG["small_integer"]: Decoder._small_integer,
    TAG["integer"]: Decoder._integer,
    TAG["small_big"]: Decoder._small_big,
    TAG["large_big"]: Decoder._large_big,
    TAG["float"]: Decoder._float,
    TAG["small_tuple"]: Decoder._small_tuple,
    TAG["large_tuple"]: Decoder._large_tuple,
    TAG["nil"]: Decoder._nil,
    TAG["string"]: Decoder._string,
    TAG["list"]: Decoder._list,
    TAG["binary"]: Decoder._binary,
    TAG["bit_binary"]: Decoder._bits,
    TAG["map"]: Decoder._map,
    TAG["pid"]: Decoder._pid,
    TAG["reference"]: Decoder._reference,
    TAG["port"]: Decoder._port,
    TAG["v4_port"]: Decoder._v4_port,
    TAG["function"]: Decoder._function,
    TAG["export"]: Decoder._export,
}
_ATOM_TAGS = (
    TAG["small_atom"],
    TAG["atom"],
    TAG["atom_latin1"],
    TAG["small_atom_latin1"],
)
_ATOM_READERS = {tag: _READERS[tag] for tag in _ATOM_TAGS}


def decode(context: TermContext, data: bytes, position: int = 0, *, limit: int = 1) -> list[Any]:
    """Return the terms in ``data``, each of which begins with the version byte.

    Args:
        context: How pids, structs and binaries are converted.
        data: The bytes, which hold nothing after the terms.
        position: Where the first term begins.
        limit: Maximum number of terms.

    Raises:
        TermError: The bytes are not valid terms, or more than ``limit``.
    """
    decoder = Decoder(context, data, position)
    terms: list[Any] = []
    while not decoder.at_end:
        if len(terms) == limit:
            raise TermError(f"expected at most {limit} terms; got more bytes at {decoder.position}")
        terms.append(decoder.versioned_term())
    return terms
