"""Chains of blocks as nodes send them: plain JSON in which each field can be changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

from .clock import unix_time

Json: TypeAlias = dict[str, Any]

GAS_PRICE = 2_000_000_000
BASE_FEE = 1_000_000_000
ZERO_HASH = "0x" + "0" * 64
ZERO_ADDRESS = "0x" + "0" * 40
_EMPTY_BLOOM = "0x" + "0" * 512
# Types with a maximum fee in place of a gas price.
_DYNAMIC = ("0x2", "0x3", "0x4")


def digest(*parts: object) -> str:
    """Return a hash of 32 bytes that stands for ``parts``."""
    return "0x" + blake2b(repr(parts).encode(), digest_size=32).hexdigest()


def address(name: str) -> str:
    """Return the address of a named account."""
    return "0x" + blake2b(name.encode(), digest_size=20).hexdigest()


def word(number: int) -> str:
    """Return a number as 32 bytes of hexadecimal digits, without ``0x``."""
    return f"{number:064x}"


def transaction(
    sender: str, nonce: int, *, kind: str = "0x2", chain_id: int = 1, **fields: object
) -> Json:
    """Return a transaction in no block.

    Args:
        sender: Name or address of the sender.
        nonce: Nonce of the transaction.
        kind: Type of the transaction.
        chain_id: Chain that it is signed for.
        **fields: Further fields, and changes to the default fields.
    """
    found: Json = {
        "type": kind,
        "from": sender if sender.startswith("0x") else address(sender),
        "to": address("shop"),
        "nonce": hex(nonce),
        "value": "0xde0b6b3a7640000",
        "gas": "0x5208",
        "gasPrice": hex(GAS_PRICE),
        "input": "0x",
        "chainId": hex(chain_id),
        "v": "0x1",
        "r": "0x" + "1" * 64,
        "s": "0x" + "2" * 64,
    }
    if kind in _DYNAMIC:
        found |= {"maxFeePerGas": hex(GAS_PRICE), "maxPriorityFeePerGas": "0x1"}
        found |= {"accessList": [], "yParity": "0x1"}
    found |= fields
    return {"hash": digest("transaction", found), **found}


@dataclass(eq=False)
class Block:
    """Block of a chain.

    Attributes:
        header: The block without its transactions.
        transactions: Transactions, as nodes send them.
        receipts: Receipts of the transactions, in the same order.
        nonces: Next nonce of each sender, after this block.
    """

    header: Json
    transactions: list[Json]
    receipts: list[Json]
    nonces: Mapping[str, int]

    @property
    def number(self) -> int:
        return int(self.header["number"], 16)

    @property
    def hash(self) -> str:
        return str(self.header["hash"])


@dataclass(eq=False)
class Chain:
    """Linked blocks, and a pool of pending transactions.

    Attributes:
        id: Chain id.
        name: Name of the chain; chains with different names have different hashes.
        blocks: Blocks from block 0 up; numbers can be skipped.
        pool: Pending transactions, by hash.
        code: Code at addresses; all other addresses have none.
    """

    id: int = 1
    name: str = "main"
    blocks: list[Block] = field(default_factory=list)
    pool: dict[str, Json] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.blocks:
            self.mine()

    @property
    def head(self) -> Block:
        """Newest block."""
        return self.blocks[-1]

    def at(self, number: int) -> Block | None:
        """Return the block at a height."""
        if number < len(self.blocks) and self.blocks[number].number == number:
            return self.blocks[number]
        return next((block for block in self.blocks if block.number == number), None)

    def mine(
        self,
        *transactions: Json,
        receipt: Mapping[str, object] | None = None,
        authorities: Iterable[str] = (),
        skip: int = 0,
        **header: object,
    ) -> Block:
        """Add a block with these transactions; they leave the pool.

        Args:
            *transactions: Transactions, in order.
            receipt: Changes to each receipt; a value of ``None`` removes a field.
            authorities: Addresses whose nonce an authorization uses (EIP-7702).
            skip: Number of heights to skip before the block.
            **header: Changes to the fields of the block.
        """
        parent = self.blocks[-1] if self.blocks else None
        number = 0 if parent is None else parent.number + 1 + skip
        above = ZERO_HASH if parent is None else parent.hash
        content = [item["hash"] for item in transactions]
        found: Json = {
            "number": hex(number),
            "hash": digest(self.id, self.name, number, above, content),
            "parentHash": above,
            "timestamp": hex(int(unix_time())),
            "baseFeePerGas": hex(BASE_FEE),
            "gasLimit": "0x1c9c380",
            "gasUsed": hex(21_000 * len(transactions)),
            "miner": ZERO_ADDRESS,
            "difficulty": "0x0",
            "extraData": "0x",
            "logsBloom": _EMPTY_BLOOM,
            "mixHash": digest("mix", number),
            "nonce": "0x0000000000000000",
            "receiptsRoot": digest("receipts", number, content),
            "sha3Uncles": digest("uncles"),
            "size": "0x220",
            "stateRoot": digest("state", number, content),
            "transactionsRoot": digest("transactions", content),
            "uncles": [],
        } | header
        placed = [
            {**item, "blockHash": found["hash"], "blockNumber": hex(number)}
            | {"transactionIndex": hex(index)}
            for index, item in enumerate(transactions)
        ]
        nonces = dict(parent.nonces) if parent else {}
        for item in transactions:
            _use(nonces, item["from"], _number(item.get("nonce")))
            self.pool.pop(item["hash"], None)
        for authority in authorities:
            _use(nonces, authority, nonces.get(authority, 0))
        receipts = [_receipt(item, receipt or {}) for item in placed]
        self.blocks.append(Block(found, placed, receipts, nonces))
        return self.blocks[-1]

    def grow(self, count: int, **header: object) -> None:
        """Add empty blocks."""
        for _ in range(count):
            self.mine(**header)  # type: ignore[arg-type]

    def wait(self, *transactions: Json) -> None:
        """Put transactions into the pool."""
        self.pool |= {item["hash"]: item for item in transactions}

    def fork(self, number: int, name: str) -> "Chain":
        """Return another chain that is the same up to a height."""
        shared = [block for block in self.blocks if block.number <= number]
        return Chain(self.id, name, shared, {}, dict(self.code))


def _use(nonces: dict[str, int], sender: str, nonce: int) -> None:
    nonces[sender] = max(nonces.get(sender, 0), nonce + 1)


def _number(text: object) -> int:
    try:
        return int(str(text), 16)
    except ValueError:
        return 0


def _receipt(item: Json, changes: Mapping[str, object]) -> Json:
    found: Json = {
        "transactionHash": item["hash"],
        "transactionIndex": item["transactionIndex"],
        "blockHash": item["blockHash"],
        "blockNumber": item["blockNumber"],
        "from": item["from"],
        "to": item["to"],
        "type": item.get("type", "0x0"),
        "status": "0x1",
        "gasUsed": "0x5208",
        "cumulativeGasUsed": "0x5208",
        "effectiveGasPrice": item.get("gasPrice") or hex(GAS_PRICE),
        "contractAddress": None,
        "logs": [],
        "logsBloom": _EMPTY_BLOOM,
    } | dict(changes)
    return {name: value for name, value in found.items() if value is not None or name == "to"}
