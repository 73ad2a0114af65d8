"""Parse JSON from untrusted senders: with limits, and in pieces.

A parser makes 1.9 GB of objects from 60 MiB of ``{}``, and blocks the event loop until it has
finished. So a long text is cut at commas into pieces of some hundred KiB. The values of each piece
are counted before it is parsed, and other tasks can run between two pieces.

A cut can be inside lists and objects. The containers that are open there are the *spine*, from the
outermost to the innermost. A piece is parsed with the opening brackets of its spine before it and
the closing brackets of the containers that are still open after it. Its values are then added to
the containers of the spine.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

PIECE_BYTES: Final = 256 * 2**10

_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_CLOSERS = bytes.maketrans(b"[{", b"]}")
# In a piece, the key of the value that continues the open value of an object. It is random, so
# that no sender can guess it.
_REST = secrets.token_hex(16)
_OPENERS = {ord("["): b"[", ord("{"): b'{"%b":' % _REST.encode()}


class NotJsonError(ValueError):
    """The text is not JSON, or is nested too deep."""


class TooManyValuesError(ValueError):
    """The text has more values than the limits allow."""


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits for one text.

    Attributes:
        max_depth: Nesting depth. Exact within the first piece; later pieces can be nested twice as
            deep.
        max_containers: Lists and objects.
        max_strings: Strings, keys included.
        max_values: Commas; each container has one comma less than values.
    """

    max_depth: int = 128
    max_containers: int = 500_000
    max_strings: int = 4_000_000
    max_values: int = 4_000_000


DEFAULT_LIMITS = JsonLimits()
"""Enough for 64 MiB of blocks or receipts: a block with 110,000 logs uses half of it."""


async def parse(text: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> Any:
    """Return the value of a JSON text; other tasks can run while a long text is parsed.

    Raises:
        NotJsonError: The text is not JSON, or is nested too deep.
        TooManyValuesError: The text has more values than the limits allow.
    """
    pieces = _Pieces(text, limits)
    while not pieces.parse_next():
        await asyncio.sleep(0)
    return pieces.value


@dataclass(slots=True)
class _Pieces:
    """Parser state between two pieces of one text."""

    text: bytes
    limits: JsonLimits
    value: Any = None
    _at: int = 0
    _open: bytes = b""
    _spine: list[Any] = field(default_factory=list)
    _containers: int = 0
    _strings: int = 0
    _values: int = 0

    def parse_next(self) -> bool:
        """Parse the next piece, and return whether it was the last."""
        end, structure = self._cut()
        self._count(structure)
        open_after = self._open_after(structure)
        piece = _loads(self._opened() + self.text[self._at : end] + _closed(open_after))
        if self._spine:
            _add(self._spine, piece)
        else:
            self.value = piece
        is_last = end == len(self.text)
        if is_last and open_after:
            raise NotJsonError("the text ends too early")
        self._at, self._open = end + 1, open_after
        if not is_last:
            self._check_cut()
            self._spine = _spine(self.value, open_after)
        return is_last

    def _cut(self) -> tuple[int, bytes]:
        """Find the end of the next piece: a comma outside of strings, or the end of the text.

        Returns:
            The index of the end, and the part of the piece that is outside of strings.
        """
        size = PIECE_BYTES
        while True:
            # An escaped quote does not end a string. The replacements keep all indexes valid.
            chunk = self.text[self._at : self._at + size]
            plain = chunk.replace(rb"\\", b"__").replace(rb"\"", b"__")
            parts = plain.split(b'"')
            if self._at + size >= len(self.text):
                self._strings += len(parts) // 2
                return len(self.text), b"".join(parts[::2])
            end = len(chunk)
            for number in range(len(parts) - 1, -1, -1):
                end -= len(parts[number])
                if number % 2 == 0 and (comma := parts[number].rfind(b",")) >= 0:
                    parts[number] = parts[number][:comma]
                    self._strings += number // 2
                    return self._at + end + comma, b"".join(parts[: number + 1 : 2])
                end -= 1  # the quote before this part
            size *= 2  # one long string

    def _count(self, structure: bytes) -> None:
        self._containers += structure.count(b"[") + structure.count(b"{")
        self._values += structure.count(b",") + 1
        limits = self.limits
        if (
            self._containers > limits.max_containers
            or self._strings > limits.max_strings
            or self._values > limits.max_values
        ):
            raise TooManyValuesError(
                f"the text must have at most {limits.max_containers:,} lists and objects, "
                f"{limits.max_strings:,} strings and {limits.max_values:,} values"
            )

    def _open_after(self, structure: bytes) -> bytes:
        """Return the brackets that are open after a piece."""
        brackets = self._open + structure.translate(None, _NOT_BRACKETS)
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

    def _opened(self) -> bytes:
        outer = b"".join(_OPENERS[bracket] for bracket in self._open[:-1])
        return outer + self._open[-1:]

    def _check_cut(self) -> None:
        """Raise if the comma at the cut is outside of all containers or ends one."""
        follows = self.text[self._at : self._at + 100].lstrip()[:1]
        if not self._open or follows in (b"]", b"}"):
            raise NotJsonError("a comma must be between two values")


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(error.msg) from None


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
