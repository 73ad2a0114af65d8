"""Recursive length prefix, the encoding of signed transactions."""

from typing import TypeAlias

Item: TypeAlias = bytes | list["Item"]

# An access list in a transaction needs 4.
MAX_DEPTH = 8
_SHORT = 55


class RlpError(ValueError):
    """The data is not the encoding of an item."""


def decode(data: bytes) -> Item:
    """Return the item that ``data`` encodes: bytes, or a list of items.

    Raises:
        RlpError: The data is not the only encoding of an item, or is nested too deep.

    Source:
        Ethereum yellow paper, appendix B.
    """
    item, end = _item(data, 0, len(data), 1)
    if end != len(data):
        raise RlpError(f"{len(data) - end} bytes follow its end")
    return item


def encode(item: Item) -> bytes:
    """Return the encoding of an item."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(len(item), 0x80) + item
    content = b"".join(map(encode, item))
    return _prefix(len(content), 0xC0) + content


def integer(number: int) -> bytes:
    """Return the bytes of a number; none for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _item(data: bytes, start: int, end: int, depth: int) -> tuple[Item, int]:
    """Return the item at ``start``, and the place after it."""
    if start >= end:
        raise RlpError("it is cut off")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    is_list = first >= 0xC0
    begin, stop = _content(data, start, end, first - (0xC0 if is_list else 0x80))
    if is_list:
        return _list(data, begin, stop, depth), stop
    content = data[begin:stop]
    if len(content) == 1 and content[0] < 0x80:
        raise RlpError("a single byte has a length, which must be left out")
    return content, stop


def _list(data: bytes, start: int, end: int, depth: int) -> list[Item]:
    if depth > MAX_DEPTH:
        raise RlpError(f"it is nested deeper than {MAX_DEPTH} lists")
    items: list[Item] = []
    while start < end:
        item, start = _item(data, start, end, depth + 1)
        items.append(item)
    return items


def _content(data: bytes, start: int, end: int, length: int) -> tuple[int, int]:
    """Return where the content of an item begins and ends."""
    begin = start + 1
    if length > _SHORT:
        begin += length - _SHORT
        size = data[start + 1 : begin]
        if begin > end:
            raise RlpError("it is cut off")
        length = int.from_bytes(size, "big")
        if size[0] == 0 or length <= _SHORT:
            raise RlpError("a length has more bytes than needed")
    if begin + length > end:
        raise RlpError("it is cut off")
    return begin, begin + length


def _prefix(length: int, offset: int) -> bytes:
    if length <= _SHORT:
        return bytes((offset + length,))
    size = integer(length)
    return bytes((offset + _SHORT + len(size),)) + size
