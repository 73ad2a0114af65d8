"""Parse JSON from untrusted senders: with limits, and in pieces.

A parser makes 1.9 GB of objects from 60 MiB of ``{}``, and blocks the event loop until it has
finished. So a long text is scanned in blocks of some hundred KiB and cut at commas into pieces.
The values of each block are counted before the block is split or parsed, and other tasks can run
between two blocks.

A piece is usually one block. It is longer only where a block has no comma between two values, which
is inside a long string: anything else without a comma is not JSON, or has so many spaces or digits
that it is refused.

A cut can be inside lists and objects. The containers that are open there are the *spine*, from the
outermost to the innermost. A piece is parsed with the opening brackets of its spine before it and
the closing brackets of the containers that are still open after it. Its values are then added to
the containers of the spine.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import orjson

PIECE_BYTES: Final = 256 * 2**10

_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{},"'))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_CLOSERS = bytes.maketrans(b"[{", b"]}")
# In a piece, the key of the value that continues the open value of an object. It is random, so
# that no sender can guess it.
_REST = secrets.token_hex(16)
_OPENERS = {ord("["): b"[", ord("{"): b'{"%b":' % _REST.encode()}


class NotJsonError(ValueError):
    """The text is not JSON, or is nested too deep."""


class TooManyValuesError(ValueError):
    """The text has more or longer values than the limits allow."""


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits for one text.

    Attributes:
        max_depth: Nesting depth. Exact within the first piece; later pieces can be nested twice as
            deep.
        max_containers: Lists and objects.
        max_strings: Strings, keys included.
        max_values: Commas; each container has one comma less than values.
        max_string_bytes: Length of one string.
        max_gap_bytes: Bytes outside of strings without a comma. Not checked within one block.
    """

    max_depth: int = 128
    max_containers: int = 500_000
    max_strings: int = 4_000_000
    max_values: int = 4_000_000
    max_string_bytes: int = 16 * 2**20
    max_gap_bytes: int = 256 * 2**10


DEFAULT_LIMITS = JsonLimits()
"""Enough for 64 MiB of blocks or receipts: a block with 110,000 logs uses half of it.

The longest string is the data of a log: 8 MiB, which costs 64 million gas.
"""


async def parse(
    text: bytes,
    limits: JsonLimits = DEFAULT_LIMITS,
    loads: Callable[[bytes], Any] = orjson.loads,
) -> Any:
    """Return the value of a JSON text; other tasks can run while a long text is parsed.

    Args:
        text: The text.
        limits: Limits for it.
        loads: Parses one piece, or raises ``ValueError``.

    Raises:
        NotJsonError: The text is not JSON, or is nested too deep.
        TooManyValuesError: The text has more or longer values than the limits allow.
    """
    pieces = _Pieces(text, limits, loads)
    while not pieces.scan_block():
        await asyncio.sleep(0)
    return pieces.value


@dataclass(slots=True)
class _Pieces:
    """Parser state between two blocks of one text.

    Attributes:
        text: The text.
        limits: Limits for the text.
        loads: Parses one piece.
        value: The value, as far as it is parsed.
    """

    text: bytes
    limits: JsonLimits
    loads: Callable[[bytes], Any]
    value: Any = None
    # The current piece: its start, and how far it is scanned.
    _start: int = 0
    _at: int = 0
    # Brackets that are open at the start of the piece, and where the scan is.
    _open: bytes = b""
    _open_now: bytes = b""
    _spine: list[Any] = field(default_factory=list)
    # Length of the string that is open where the scan is; ``None`` outside of strings.
    _string_bytes: int | None = None
    # Counts in the text; they include what is scanned of the current piece.
    _containers: int = 0
    _strings: int = 0
    _values: int = 0
    # Counts in the current piece, as long as it has no comma.
    _gap_bytes: int = 0
    _gap_values: int = 0

    def scan_block(self) -> bool:
        """Scan one block, parse the piece if it ends in the block; return whether it was the last.

        A piece ends at the last comma between two values in a block, or at the end of the text.
        """
        block, end = self._next_block()
        # Without all other bytes, nearly every part is empty: splitting creates no object for it.
        parts = block.translate(None, _NOT_STRUCTURE).split(b'"')
        is_last = end == len(self.text)
        first = 0 if self._string_bytes is None else 1
        strings = (len(parts) - first) // 2  # that begin in the block
        if self._strings + strings > self.limits.max_strings:
            self._refuse()
        cut = None if is_last else _last_comma(parts, first)
        if cut is not None:
            number, comma = cut
            index = _index(block, parts, number)
            block, end = block[:index], end - (len(block) - index)
            parts = [*parts[:number], parts[number][:comma]]
            strings = (len(parts) - first) // 2
        structure = b"".join(parts[first::2])
        self._strings += strings
        self._check_lengths(block, first, len(parts))
        self._count(structure)
        self._open_now = self._open_after(structure)
        self._at = end
        if cut is None and not is_last:
            self._check_gap(b"".join(block.split(b'"')[first::2]), strings)
        else:
            self._parse_piece(is_last)
        return is_last

    def _next_block(self) -> tuple[bytes, int]:
        """Return the next block, in which all quotes begin or end a string, and its end."""
        block = self.text[self._at : self._at + PIECE_BYTES]
        end = self._at + len(block)
        if b"\\" not in block:
            return block, end
        if (len(block) - len(block.rstrip(b"\\"))) % 2 and end < len(self.text):
            # The next block must not begin inside an escape.
            block, end = block + self.text[end : end + 1], end + 1
        # An escaped quote does not end a string. The replacements keep all indexes valid.
        return block.replace(rb"\\", b"__").replace(rb"\"", b"__"), end

    def _check_lengths(self, block: bytes, first: int, parts: int) -> None:
        """Check the lengths of the strings in a block; the last one can go on after it.

        Args:
            block: The block.
            first: 1 if the block begins inside a string, otherwise 0.
            parts: Number of parts that the quotes split the block into.
        """
        limit = self.limits.max_string_bytes
        continued = (self._string_bytes or 0) + (block.find(b'"') if parts > 1 else len(block))
        longest = continued if first else 0
        if limit <= PIECE_BYTES:  # else a string that begins in the block is not too long yet
            longest = max((longest, *map(len, block.split(b'"')[1 + first :: 2])))
        if longest > limit:
            raise TooManyValuesError(f"a string must have at most {limit:,} bytes")
        if (parts - first) % 2:
            self._string_bytes = None
        else:
            self._string_bytes = len(block) - block.rfind(b'"') - 1 if parts > 1 else continued

    def _count(self, structure: bytes) -> None:
        self._containers += structure.count(b"[") + structure.count(b"{")
        self._values += structure.count(b",")
        limits = self.limits
        if self._containers > limits.max_containers or self._values >= limits.max_values:
            self._refuse()

    def _refuse(self) -> NoReturn:
        limits = self.limits
        raise TooManyValuesError(
            f"the text must have at most {limits.max_containers:,} lists and objects, "
            f"{limits.max_strings:,} strings and {limits.max_values:,} values"
        )

    def _check_gap(self, outside: bytes, strings: int) -> None:
        """Raise unless the piece, which has no comma yet, can be a part of a long string.

        Without a comma, each container is in the one before it, and has one key or one value.

        Args:
            outside: The bytes of the block that are outside of strings.
            strings: Number of strings that begin in the block.
        """
        self._gap_bytes += len(outside)
        self._gap_values += strings + outside.count(b"[") + outside.count(b"{")
        if self._gap_values > 2 * self.limits.max_depth + 2:
            raise NotJsonError("a comma must be between two values")
        if self._gap_bytes > self.limits.max_gap_bytes:
            limit = self.limits.max_gap_bytes
            raise TooManyValuesError(f"a comma must follow within {limit:,} bytes")

    def _parse_piece(self, is_last: bool) -> None:
        open_after = self._open_now
        text = self.text[self._start : self._at]
        if self._spine and text.lstrip()[:1] in (b"", b"]", b"}"):
            raise NotJsonError("a comma must be between two values")
        piece = self._parsed(b"".join((self._opened(), text, _closed(open_after))))
        if self._spine:
            _add(self._spine, piece)
        else:
            self.value = piece
        if is_last:
            if open_after:
                raise NotJsonError("the text ends too early")
            return
        if not open_after:
            raise NotJsonError("a comma must be in a list or an object")
        self._spine = _spine(self.value, open_after)
        self._open = open_after
        self._values += 1  # the comma at the cut
        self._start = self._at = self._at + 1
        self._gap_bytes = self._gap_values = 0

    def _open_after(self, structure: bytes) -> bytes:
        """Return the brackets that are open after a block."""
        brackets = self._open_now + structure.translate(None, _NOT_BRACKETS)
        self._check_depth(brackets.translate(_ALIKE))
        while True:
            # Each round removes the innermost pairs, which is at least one level.
            left = brackets.replace(b"[]", b"").replace(b"{}", b"")
            if left == brackets:
                break
            brackets = left
        if brackets.translate(None, b"[{"):
            raise NotJsonError("brackets must match")
        return brackets

    def _check_depth(self, brackets: bytes) -> None:
        for _ in range(self.limits.max_depth):
            left = brackets.replace(b"[]", b"")
            if left == brackets:
                break
            brackets = left
        if len(brackets) > self.limits.max_depth or b"]" in brackets:
            limit = self.limits.max_depth
            raise NotJsonError(f"brackets must match and be nested at most {limit} deep")

    def _parsed(self, text: bytes) -> Any:
        try:
            return self.loads(text)
        except ValueError as error:
            raise NotJsonError(str(error)) from None

    def _opened(self) -> bytes:
        outer = b"".join(_OPENERS[bracket] for bracket in self._open[:-1])
        return outer + self._open[-1:]


def _last_comma(parts: list[bytes], first: int) -> tuple[int, int] | None:
    """Return the part with the last comma outside of strings, and the comma's index in the part."""
    numbers = range(first, len(parts), 2)
    for number in reversed(numbers):
        if (comma := parts[number].rfind(b",")) >= 0:
            return number, comma
    return None


def _index(block: bytes, parts: list[bytes], number: int) -> int:
    """Return the index in a block of the last comma in one of its parts."""
    end = len(block)
    for _ in range(len(parts) - 1 - number):
        end = block.rfind(b'"', 0, end)
    return block.rfind(b",", 0, end)


def _closed(brackets: bytes) -> bytes:
    return brackets[::-1].translate(_CLOSERS)


def _spine(value: Any, brackets: bytes) -> list[Any]:
    """Return the open containers; each is the last value of the one before it."""
    spine = [value]
    for _ in brackets[1:]:
        outer = spine[-1]
        spine.append(outer[-1] if isinstance(outer, list) else outer[next(reversed(outer))])
    for container, bracket in zip(spine, brackets, strict=True):
        if not isinstance(container, dict if bracket == ord("{") else list):
            # The second value of a repeated key is stored at the position of the first value, so
            # it is not the last one.
            raise NotJsonError("an object has the same key twice")
    return spine


def _add(spine: list[Any], piece: Any) -> None:
    for depth, container in enumerate(spine):
        is_innermost = depth == len(spine) - 1
        if isinstance(container, list):
            rest, added = (None, piece) if is_innermost else (piece[0], piece[1:])
            container.extend(added)
        else:
            rest = None if is_innermost else piece.pop(_REST)
            container.update(piece)
        piece = rest
