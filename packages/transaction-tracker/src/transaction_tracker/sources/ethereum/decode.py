"""Blocks, transactions and receipts as a node writes them, read into ours."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from transaction_tracker.domain import BlockRef, Link, Outcome, Transaction
from transaction_tracker.sources.errors import ApplicationError, MalformedError
from transaction_tracker.sources.ethereum.fields import (
    address,
    array,
    data,
    hash32,
    height,
    quantity,
    record,
    wrong,
)
from transaction_tracker.sources.protocol import Block

# What a contract's ``revert("...")`` returns: this selector, then one encoded string.
_ERROR_STRING = bytes.fromhex("08c379a0")
_WORD = 32
_LONGEST_REASON = 500
_CALL_FIELDS = {"from": "from", "to": "to", "value": "value", "gas": "gas", "data": "input"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a transaction, and in which block."""

    id: str
    block: BlockRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction that a node knows.

    Attributes:
        transaction: What it is.
        block: The block that has it, where one has.
        chain_id: The chain that it was signed for, where it was signed for one.
    """

    transaction: Transaction
    block: BlockRef | None
    chain_id: int | None

    @property
    def id(self) -> str:
        """Its hash."""
        return self.transaction.id


def link(value: object) -> Link:
    """Read a block's place in the chain."""
    block = record(value, "block")
    return Link(
        number=height(block.get("number"), "block number"),
        hash=hash32(block.get("hash"), "block hash"),
        parent=hash32(block.get("parentHash"), "parent hash"),
    )


def block(value: object) -> Block:
    """Read a block that came with whole transactions."""
    place = link(value)
    body = array(record(value, "block").get("transactions"), "block's transactions")
    ids: dict[str, int] = {}
    slots: dict[str, str] = {}
    for index, item in enumerate(body):
        transaction_id, slot = _keys(item)
        ids[transaction_id] = index
        slots[slot] = transaction_id
    if len(ids) != len(body):
        raise MalformedError(f"the node's block {place.number} has a transaction twice")
    return Block(place, ids, slots, body)


def transaction(value: object) -> Transaction:
    """Read a transaction, in a block or not."""
    fields = record(value, "transaction")
    transaction_id, slot = _keys(fields)
    to = None if fields.get("to") is None else address(fields["to"], "recipient")
    amount = quantity(fields.get("value"), "value")
    payload = data(fields.get("input", fields.get("data")), "input")
    to_self = to == address(fields.get("from"), "sender")
    return Transaction(
        transaction_id,
        slot=slot,
        content=_digest(to, amount, payload),
        cancels=to_self and amount == 0 and payload == "0x",
        max_fee=_offer(fields),
    )


def found(value: object) -> Found:
    """Read a transaction with its block and its chain."""
    fields = record(value, "transaction")
    chain = fields.get("chainId")
    return Found(
        transaction(fields),
        place(fields),
        None if chain is None else quantity(chain, "transaction's chain id"),
    )


def sender_of(slot: str) -> str:
    """Name the sender that a slot belongs to."""
    return slot.partition(":")[0]


def nonce_of(slot: str) -> int:
    """Give the nonce that a slot is for."""
    return int(slot.partition(":")[2])


def base_fee(value: object) -> int | None:
    """Read what a block asks for a unit of gas, in wei, on chains that do so."""
    fee = record(value, "block").get("baseFeePerGas")
    return None if fee is None else quantity(fee, "base fee")


def call_of(item: Any) -> dict[str, Any]:
    """Take of a transaction what ``eth_call`` needs to run it again, its price left out."""
    return {
        ours: item[theirs] for ours, theirs in _CALL_FIELDS.items() if item.get(theirs) is not None
    }


def reverted(answer: object) -> str | None:
    """Read why an ``eth_call`` reverted; it answers with an error when it does."""
    if not isinstance(answer, ApplicationError):
        return None
    told = answer.told.removeprefix("execution reverted").lstrip(": ")
    return told[:_LONGEST_REASON] or None


def place(value: object) -> BlockRef | None:
    """Read which block has a transaction, if any has."""
    fields = record(value, "transaction")
    if fields.get("blockHash") is None or fields.get("blockNumber") is None:
        return None
    return BlockRef(
        height(fields["blockNumber"], "transaction's block number"),
        hash32(fields["blockHash"], "transaction's block hash"),
    )


def receipt(value: object) -> Receipt:
    """Read a receipt."""
    fields = record(value, "receipt")
    status = quantity(fields.get("status"), "receipt's status")
    if status not in (0, 1):
        raise wrong("receipt's status", "0x0 or 0x1", fields["status"])
    found = place(fields)
    if found is None:
        raise wrong("receipt's block hash", "a hash of 32 bytes", fields.get("blockHash"))
    error = None if status else reason(fields.get("revertReason"))
    return Receipt(
        hash32(fields.get("transactionHash"), "receipt's transaction hash"),
        found,
        Outcome(succeeded=status == 1, fee=_fee(fields), error=error),
    )


def reason(value: object) -> str | None:
    """Read why a transaction reverted, which only some nodes tell, in their own ways."""
    if not isinstance(value, str) or not value:
        return None
    if not value.startswith("0x"):
        return value[:_LONGEST_REASON]
    try:
        returned = bytes.fromhex(value[2:])
    except ValueError:
        return value[:_LONGEST_REASON]
    if not returned.startswith(_ERROR_STRING):
        return value[:_LONGEST_REASON]
    size = int.from_bytes(returned[4 + _WORD : 4 + 2 * _WORD])
    text = returned[4 + 2 * _WORD :][: min(size, _LONGEST_REASON)]
    return text.decode(errors="replace") or None


def _keys(item: Any) -> tuple[str, str]:
    fields = record(item, "transaction")
    transaction_id = hash32(fields.get("hash"), "transaction hash")
    sender = address(fields.get("from"), "sender")
    return transaction_id, f"{sender}:{quantity(fields.get('nonce'), 'nonce')}"


def _offer(fields: dict[str, Any]) -> int | None:
    # A mined transaction's gasPrice is what it paid, not what it offered.
    offer = fields.get("maxFeePerGas", fields.get("gasPrice"))
    return None if offer is None else quantity(offer, "offered fee")


def _fee(fields: dict[str, Any]) -> int | None:
    if fields.get("effectiveGasPrice") is None:
        return None
    price = quantity(fields["effectiveGasPrice"], "receipt's gas price")
    return price * quantity(fields.get("gasUsed"), "receipt's gas used")


def _digest(to: str | None, amount: int, payload: str) -> str:
    # Equal digests mean the same payment. What a transaction does can be long, and is
    # kept for each that is tracked.
    return blake2b(f"{to} {amount} {payload}".encode(), digest_size=16).hexdigest()
