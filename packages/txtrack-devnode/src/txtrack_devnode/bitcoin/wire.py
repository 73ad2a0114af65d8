"""Transactions and blocks, written in the form in which the network sends them.

Transactions are not signed: the scripts that spend are empty.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from struct import pack

COIN = 10**8
"""Satoshi of one bitcoin."""
REPLACEABLE = 0xFFFF_FFFD
FINAL = 0xFFFF_FFFE

_NULL = "00" * 32
_NO_OUTPUT = 0xFFFF_FFFF
_REGTEST_BITS = 0x207F_FFFF
# The first block: its time, nonce and text are the same on each machine.
_GENESIS_TEXT = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
_GENESIS_KEY = bytes.fromhex(
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
    "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
)


def hash256(data: bytes) -> bytes:
    """Return the hash of the network: SHA-256 twice."""
    return sha256(sha256(data).digest()).digest()


def key_script(owner: str) -> bytes:
    """Return the script that pays to a key (P2WPKH), whose hash is made of the owner's name."""
    return b"\x00\x14" + sha256(owner.encode()).digest()[:20]


@dataclass(frozen=True, slots=True)
class Coin:
    """An output that a transaction spends."""

    id: str
    index: int


@dataclass(frozen=True)
class BitcoinTransaction:
    """One transaction.

    Attributes:
        spends: Outputs that it spends; none for a coinbase.
        outputs: Its outputs: satoshi and script.
        sequence: Sequence number of each input; below ``FINAL``, it signals BIP 125.
        tag: Script of the coinbase, which makes it unique.
        version: Version of the transaction.
    """

    spends: tuple[Coin, ...]
    outputs: tuple[tuple[int, bytes], ...]
    sequence: int = REPLACEABLE
    tag: bytes = b""
    version: int = 2

    @cached_property
    def raw(self) -> bytes:
        """The bytes, which its id covers."""
        inputs = [
            pack("<32sI", bytes.fromhex(coin.id)[::-1], coin.index) + b"\0" + self._sequence
            for coin in self.spends
        ] or [
            pack("<32sI", bytes.fromhex(_NULL), _NO_OUTPUT)
            + _length(len(self.tag))
            + self.tag
            + b"\xff" * 4
        ]
        outputs = [
            pack("<q", value) + _length(len(script)) + script for value, script in self.outputs
        ]
        return b"".join(
            (
                pack("<i", self.version),
                *(_length(len(inputs)), *inputs),
                *(_length(len(outputs)), *outputs),
                pack("<I", 0),
            )
        )

    @cached_property
    def id(self) -> str:
        """Its id."""
        return hash256(self.raw)[::-1].hex()

    @property
    def is_coinbase(self) -> bool:
        """Whether it creates the reward of a block."""
        return not self.spends

    @property
    def _sequence(self) -> bytes:
        return pack("<I", self.sequence)


@dataclass(frozen=True)
class BitcoinBlock:
    """One block, with a nonce that fits the easy target of a regtest network.

    Attributes:
        number: Its height.
        parent: Hash of its parent.
        time: Unix seconds.
        transactions: Its transactions; the coinbase is the first.
        version: Version of the block.
        first_nonce: Nonce from which on one is searched for.
    """

    number: int
    parent: str
    time: int
    transactions: tuple[BitcoinTransaction, ...]
    version: int = 0x2000_0000
    first_nonce: int = 0

    @cached_property
    def header(self) -> bytes:
        """The header, whose hash identifies the block."""
        fields = pack(
            "<i32s32sII",
            self.version,
            bytes.fromhex(self.parent)[::-1],
            self._root(),
            self.time,
            _REGTEST_BITS,
        )
        nonce = self.first_nonce
        # The highest bit must be 0: two attempts on average.
        while hash256(fields + pack("<I", nonce))[31] & 0x80:
            nonce += 1
        return fields + pack("<I", nonce)

    @cached_property
    def hash(self) -> str:
        """Its hash."""
        return hash256(self.header)[::-1].hex()

    @cached_property
    def raw(self) -> bytes:
        """The whole block."""
        count = _length(len(self.transactions))
        return b"".join((self.header, count, *(each.raw for each in self.transactions)))

    @property
    def root(self) -> str:
        """Root of the tree of its transactions' ids."""
        return self._root()[::-1].hex()

    def _root(self) -> bytes:
        row = [bytes.fromhex(each.id)[::-1] for each in self.transactions]
        while len(row) > 1:
            row += row[-1:] * (len(row) % 2)
            row = [hash256(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]


def genesis() -> BitcoinBlock:
    """Return the first block of each regtest network."""
    tag = b"\x04\xff\xff\x00\x1d\x01\x04" + bytes((len(_GENESIS_TEXT),)) + _GENESIS_TEXT
    script = bytes((len(_GENESIS_KEY),)) + _GENESIS_KEY + b"\xac"
    coinbase = BitcoinTransaction((), ((50 * COIN, script),), tag=tag, version=1)
    return BitcoinBlock(0, _NULL, 1_296_688_602, (coinbase,), version=1, first_nonce=2)


def _length(number: int) -> bytes:
    if number < 0xFD:
        return bytes((number,))
    return b"\xfd" + pack("<H", number) if number <= 0xFFFF else b"\xfe" + pack("<I", number)
