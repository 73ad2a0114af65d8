"""Read transactions and blocks in the form in which the network sends them.

A block's hash is the hash of its header, which has the root of the transactions' ids, and an id is
the hash of what a transaction spends and pays. So a block that fits its hash is complete and true,
from any sender. Amounts are whole numbers of satoshi there.

Source:
    The Bitcoin developer reference, "Block chain" and "Raw transaction format"; BIP 141 for the
    form with witnesses, which an id does not cover.
"""

from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Any

from transaction_tracker.slices import MAX_SLICE_ITEMS, Steps
from transaction_tracker.sources.errors import MalformedError

MAX_BLOCK_BYTES = 4_000_000
"""Maximum size of a block (BIP 141): its weight counts each byte once or more."""
MAX_SATOSHI = 21_000_000 * 10**8

HEADER_BYTES = 80
_NULL_ID = bytes(32)
_NULL_INDEX = 0xFFFF_FFFF
# The smallest input and output: an empty script each.
_MIN_INPUT_BYTES = 41
_MIN_OUTPUT_BYTES = 9
_MIN_TRANSACTION_BYTES = 60

_UINT32 = Struct("<I")
_OUTPOINT = Struct("<32sI")
_INT64 = Struct("<q")
_HEADER = Struct("<i32s32sIII")
# The sizes of a length, by its first byte.
_LENGTHS = {0xFD: Struct("<H"), 0xFE: _UINT32, 0xFF: Struct("<Q")}


@dataclass(frozen=True, slots=True)
class RawOutput:
    """One output.

    Attributes:
        value: Amount in satoshi.
        script: Condition under which it can be spent.
    """

    value: int
    script: bytes


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """One transaction.

    Attributes:
        id: Its id, computed from the fields.
        spent: Outputs that it spends, each as ``id:index``; empty for a coinbase.
        outputs: Its outputs.
        is_coinbase: Whether it creates the reward of a block.
        replaceable: Whether it signals that it can be replaced (BIP 125).
    """

    id: str
    spent: tuple[str, ...]
    outputs: tuple[RawOutput, ...]
    is_coinbase: bool
    replaceable: bool


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Header of a block.

    Attributes:
        hash: Its hash, computed from the fields.
        parent: Hash of the parent.
        root: Root of the tree of the transactions' ids.
        time: Unix seconds.
    """

    hash: str
    parent: str
    root: str
    time: int


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block whose transactions are proven by its header.

    Attributes:
        header: Its header.
        transactions: Its transactions, in order.
    """

    header: RawHeader
    transactions: tuple[RawTransaction, ...]


def hash256(data: bytes) -> bytes:
    """Return the hash that ids and blocks use: SHA-256 twice."""
    return sha256(sha256(data).digest()).digest()


def from_hex(value: object, name: str) -> bytes:
    """Return the bytes of a hexadecimal text, at most those of a block.

    Raises:
        MalformedError: The value is not such a text; the message has the name.
    """
    if not isinstance(value, str) or len(value) > 2 * MAX_BLOCK_BYTES:
        raise MalformedError(f"{name} must be hexadecimal, of at most {MAX_BLOCK_BYTES} bytes")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise MalformedError(f"{name} must be hexadecimal, got {value[:40]!r}") from None


def read_header(data: bytes) -> RawHeader:
    """Return a block's header from its first bytes."""
    if len(data) < HEADER_BYTES:
        raise MalformedError(f"a block's header must have {HEADER_BYTES} bytes, got {len(data)}")
    head = data[:HEADER_BYTES]
    _, parent, root, time, _, _ = _HEADER.unpack(head)
    return RawHeader(_text(hash256(head)), _text(parent), _text(root), time)


def transaction_steps(data: bytes) -> Steps[RawTransaction]:
    """Return the only transaction of some bytes in slices.

    One transaction can fill a block, with millions of empty witnesses.

    Raises:
        MalformedError: The bytes are not a transaction.
    """
    reader = _Reader(data)
    found = yield from reader.transaction()
    reader.end()
    return found


def block_steps(data: bytes) -> Steps[RawBlock]:
    """Return a block in slices.

    Raises:
        MalformedError: The bytes are not a block, or its header names other transactions.
    """
    header = read_header(data)
    reader = _Reader(data, HEADER_BYTES)
    transactions: list[RawTransaction] = []
    for number in range(reader.count("transactions", _MIN_TRANSACTION_BYTES)):
        transactions.append((yield from reader.transaction()))
        if _ends_slice(number):
            yield
    reader.end()
    # The hash of 64 bytes can be that of a transaction or of a node of the tree (CVE-2017-12842):
    # a row of the tree in place of the transactions has no reward at its start.
    if [at for at, each in enumerate(transactions) if each.is_coinbase] != [0]:
        raise MalformedError(f"block {header.hash} must have one reward, as its first transaction")
    ids = [transaction.id for transaction in transactions]
    # The root is the same for a list whose end is repeated (CVE-2012-2459).
    if len(set(ids)) < len(ids) or _root(ids) != header.root:
        raise MalformedError(f"the transactions of block {header.hash} do not fit its header")
    return RawBlock(header, tuple(transactions))


def _root(ids: list[str]) -> str:
    """Return the root of the tree of ids; an odd last one of a row is paired with itself."""
    row = [bytes.fromhex(key)[::-1] for key in ids]
    while len(row) > 1:
        row += row[-1:] * (len(row) % 2)
        row = [hash256(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return _text(row[0]) if row else ""


def _ends_slice(number: int) -> bool:
    """Return whether the loop must yield before or after an item, to be run in slices."""
    return number % MAX_SLICE_ITEMS == MAX_SLICE_ITEMS - 1


def _text(data: bytes) -> str:
    """Return a hash as people write it: its bytes from the last to the first."""
    return data[::-1].hex()


class _Reader:
    """Position in bytes that are read from the front; each read checks that they suffice."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def transaction(self) -> Steps[RawTransaction]:
        start = self._at
        version = self._take(4)
        # No transaction has no input, so a zero there marks the form with witnesses.
        has_witnesses = self._data[self._at : self._at + 2] == b"\x00\x01"
        if has_witnesses:
            self._at += 2
        body = self._at
        spent: list[tuple[bytes, int, int]] = []
        for number in range(self.count("inputs", _MIN_INPUT_BYTES)):
            if _ends_slice(number):
                yield
            key, index = self._unpack(_OUTPOINT)
            self._take(self._length())
            (sequence,) = self._unpack(_UINT32)
            spent.append((key, index, sequence))
        outputs: list[RawOutput] = []
        for number in range(self.count("outputs", _MIN_OUTPUT_BYTES)):
            if _ends_slice(number):
                yield
            outputs.append(self._output())
        body_end = self._at
        for _ in spent if has_witnesses else ():
            for number in range(self.count("witnesses", 1)):
                if _ends_slice(number):
                    yield
                self._take(self._length())
        lock_time = self._take(4)
        if not spent:
            raise MalformedError("a transaction must have an input")
        signed = (
            b"".join((version, self._data[body:body_end], lock_time))
            if has_witnesses
            else self._data[start : self._at]
        )
        is_coinbase = spent[0][:2] == (_NULL_ID, _NULL_INDEX)
        return RawTransaction(
            _text(hash256(signed)),
            () if is_coinbase else tuple(f"{_text(key)}:{index}" for key, index, _ in spent),
            tuple(outputs),
            is_coinbase,
            replaceable=any(sequence < _NULL_INDEX - 1 for _, _, sequence in spent),
        )

    def count(self, name: str, minimum_bytes: int) -> int:
        """Return the number of items that follow, of ``minimum_bytes`` or more each."""
        found = self._length()
        if found * minimum_bytes > len(self._data) - self._at:
            raise MalformedError(f"{found} {name} do not fit into the bytes that follow")
        return found

    def end(self) -> None:
        """Raise ``MalformedError`` if bytes are left."""
        left = len(self._data) - self._at
        if left:
            raise MalformedError(f"{left} bytes follow the last field")

    def _output(self) -> RawOutput:
        (value,) = self._unpack(_INT64)
        if not 0 <= value <= MAX_SATOSHI:
            raise MalformedError(f"an output must have 0 to {MAX_SATOSHI} satoshi, got {value}")
        return RawOutput(value, self._take(self._length()))

    def _length(self) -> int:
        first = self._take(1)[0]
        form = _LENGTHS.get(first)
        return first if form is None else int(self._unpack(form)[0])

    def _unpack(self, form: Struct) -> tuple[Any, ...]:
        start = self._at
        if start + form.size > len(self._data):
            raise MalformedError("the bytes end inside a field")
        self._at += form.size
        return form.unpack_from(self._data, start)

    def _take(self, size: int) -> bytes:
        start = self._at
        self._at += size
        if self._at > len(self._data):
            raise MalformedError("the bytes end inside a field")
        return self._data[start : self._at]
