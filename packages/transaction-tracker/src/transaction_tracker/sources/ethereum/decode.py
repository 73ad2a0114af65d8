"""Convert blocks, transactions and receipts from the JSON of nodes.

A transaction in a block needs only a readable hash; unreadable other fields are counted and
skipped. An invalid field that decides an end raises ``MalformedError``, which names the field.
"""

from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from transaction_tracker.domain import BlockRef, Link, Outcome, Transaction
from transaction_tracker.domain.structs import compared_without
from transaction_tracker.slices import Steps, run_at_once, slices
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.ethereum import details, fees, reasons
from transaction_tracker.sources.ethereum.contents import Content
from transaction_tracker.sources.ethereum.fields import (
    ZERO_ADDRESS,
    address,
    array,
    data,
    hash32,
    height,
    is_hash,
    is_null,
    quantity,
    readable,
    readable_quantity,
    record,
    wrong,
)
from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile
from transaction_tracker.sources.ethereum.revert_data import ErrorTable

# 0x and 256 bytes in hexadecimal.
_BLOOM_CHARACTERS = 514
_CALL_FIELDS = {"from": "from", "to": "to", "value": "value", "gas": "gas", "data": "input"}


class HeadBlock(Struct, frozen=True):
    """Newest block of a node.

    Attributes:
        link: The block and its parent.
        base_fee: Base fee in wei per unit of gas, if the chain has one.
    """

    link: Link
    base_fee: int | None


@compared_without("raw", shown=False)
class Receipt(Struct, frozen=True):
    """Receipt of a transaction in a block.

    Attributes:
        id: Hash of the transaction.
        block: Block that includes it.
        outcome: Outcome; ``None`` for a receipt without a status.
        gas_used: Units of gas used, if readable.
        raw: Receipt as the node sent it.
    """

    id: str
    block: BlockRef
    outcome: Outcome | None
    gas_used: int | None = None
    raw: dict[str, Any] = field(default_factory=dict)


@compared_without("raw", shown=False)
class Found(Struct, frozen=True):
    """Transaction that a node knows.

    Attributes:
        transaction: The transaction.
        block: Block that includes it, if any.
        chain_id: Chain that it is signed for; ``None`` if it is valid on every chain.
        raw: Transaction as the node sent it.
    """

    transaction: Transaction
    block: BlockRef | None
    chain_id: int | None
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Hash of the transaction."""
        return self.transaction.id


def link(value: object) -> Link:
    """Return the link of a block: its number, hash and parent."""
    header = record(value, "block")
    return Link(
        number=height(header.get("number"), "block number"),
        hash=hash32(header.get("hash"), "block hash"),
        parent=hash32(header.get("parentHash"), "parent hash"),
    )


def head(value: object) -> HeadBlock:
    """Return the link and the base fee of a block."""
    return HeadBlock(link(value), base_fee(value))


def base_fee(value: object) -> int | None:
    """Return the base fee of a block in wei per unit of gas; ``None`` if it has none.

    An unreadable value, such as ``"0x"``, is ``None`` too: only the flag ``underpriced`` needs it.
    """
    fee = value.get("baseFeePerGas") if isinstance(value, dict) else None
    return readable_quantity(fee)


def logs_bloom(value: object) -> bytes | None:
    """Return the bloom filter of a block's logs; ``None`` if it is unreadable."""
    text = readable(data, value.get("logsBloom")) if isinstance(value, dict) else None
    return bytes.fromhex(text[2:]) if text is not None and len(text) == _BLOOM_CHARACTERS else None


def block(value: object, profile: ChainProfile = UNKNOWN) -> FetchedBlock:
    """Return a block with the ids and slots of its transactions.

    A malformed transaction never makes a block unreadable: a transaction without a readable hash,
    and a slot that is unreadable or claimed by two transactions, are skipped and counted. If a
    block lists a hash twice, the first position counts (Hedera sends such blocks).

    Args:
        value: Block as the node sent it.
        profile: Profile of the chain.

    Raises:
        MalformedError: The block's link or its list of transactions is unreadable.
    """
    return run_at_once(block_steps(value, profile))


def block_steps(value: object, profile: ChainProfile = UNKNOWN) -> Steps[FetchedBlock]:
    """Return a block as ``block`` does, in slices."""
    place = link(value)
    body = array(record(value, "block").get("transactions"), "block's transactions")
    ids, unreadable = yield from _ids(body)
    if body and all(isinstance(item, str) for item in body):
        return FetchedBlock(
            place, ids, {}, body, unreadable, hashes_only=True, time=details.time_of(value)
        )
    slots, unclear = yield from _slots(body, ids, profile)
    time, bloom = details.time_of(value), logs_bloom(value)
    return FetchedBlock(place, ids, slots, body, unreadable + unclear, time=time, bloom=bloom)


def transaction(value: object, profile: ChainProfile = UNKNOWN) -> Transaction:
    """Return a transaction, in a block or not.

    Raises:
        MalformedError: It has no readable hash. With other fields unreadable, the transaction
            has no slot, no maximum fee, or a content that is equal to no other.
    """
    fields = record(value, "transaction")
    key = hash32(fields.get("hash"), "transaction hash")
    content = Content.of(fields, key)
    slot, _ = _slot(fields, profile)
    return Transaction(
        key,
        slots=() if slot is None else (slot,),
        content=content.digest(),
        cancels=content.is_nothing and content.to == readable(address, fields.get("from")),
        max_fee=_max_fee(fields),
        payment=details.payment(fields),
    )


def found(value: object, profile: ChainProfile = UNKNOWN) -> Found:
    """Return a transaction with its block and its chain.

    Raises:
        MalformedError: Its hash, its block or its chain id is unreadable.
    """
    fields = record(value, "transaction")
    return Found(transaction(fields, profile), place(fields), _chain_id(fields), fields)


def place(value: object) -> BlockRef | None:
    """Return the block that a transaction or receipt names; ``None`` without a block.

    Raises:
        MalformedError: The block's hash or number is unreadable.
    """
    fields = record(value, "transaction")
    block_hash, number = fields.get("blockHash"), fields.get("blockNumber")
    if is_null(block_hash) or is_null(number):
        return None
    # Other values, which are errors, cannot all be hashed.
    is_text = isinstance(number, str) and isinstance(block_hash, str)
    return (_ref_of_text if is_text else _ref)(number, block_hash)


def receipt(
    value: object, profile: ChainProfile = UNKNOWN, errors: ErrorTable | None = None
) -> Receipt:
    """Return a receipt.

    A receipt without a status has no outcome: before Byzantium, receipts had the state ``root``
    in place of the status (EIP-658). ``Statuses`` finds the outcome.

    Logs are not read here but by ``details``, for the few receipts of a block that are needed. Some
    nodes (such as Bor) send receipts whose logs name another block.

    Args:
        value: Receipt as the node sent it.
        profile: Profile of the chain.
        errors: Known custom errors.

    Raises:
        MalformedError: The transaction, its block or the status is unreadable.
    """
    fields = record(value, "receipt")
    key = hash32(fields.get("transactionHash"), "receipt's transaction hash")
    ref = place(fields)
    if ref is None:
        name = "hash" if is_null(fields.get("blockHash")) else "number"
        raise wrong(
            f"receipt's block {name}", "that of a block", fields.get(f"block{name.title()}")
        )
    gas_used = readable_quantity(fields.get("gasUsed"))
    return Receipt(key, ref, _outcome(fields, profile, errors), gas_used, fields)


def receipts(
    value: object, profile: ChainProfile = UNKNOWN, errors: ErrorTable | None = None
) -> list[Receipt]:
    """Return the readable receipts of a block.

    An unreadable receipt is skipped, as if the node did not have it yet: it is then requested
    alone, and from the other providers.

    Raises:
        MalformedError: The value is not a list.
    """
    return run_at_once(receipts_steps(value, profile, errors))


def receipts_steps(
    value: object, profile: ChainProfile = UNKNOWN, errors: ErrorTable | None = None
) -> Steps[list[Receipt]]:
    """Return the receipts of a block as ``receipts`` does, in slices."""
    found = []
    for part in slices(array(value, "block's receipts")):
        for item in part:
            try:
                found.append(receipt(item, profile, errors))
            except MalformedError:
                continue
        yield
    return found


def sender_of(slot: str) -> str:
    """Return the sender of a slot."""
    return slot.partition(":")[0]


def nonce_of(slot: str) -> int:
    """Return the nonce of a slot."""
    return int(slot.partition(":")[2])


def call_of(item: Any) -> dict[str, Any]:
    """Return the ``eth_call`` parameters that repeat a transaction, without its price."""
    if not isinstance(item, dict):
        return {}
    return {
        ours: item[theirs] for ours, theirs in _CALL_FIELDS.items() if item.get(theirs) is not None
    }


def _ref(number: object, block_hash: object) -> BlockRef:
    return BlockRef(
        height(number, "transaction's block number"),
        hash32(block_hash, "transaction's block hash"),
    )


_ref_of_text = lru_cache(maxsize=64)(_ref)  # all receipts of a block name the same one


def _ids(body: list[Any]) -> Steps[tuple[dict[str, int], int]]:
    """Return the first position of each hash, and the number of unreadable transactions."""
    ids: dict[str, int] = {}
    unreadable = 0
    for part in slices(enumerate(body)):
        for index, item in part:
            key = _hash_of(item)
            if key is None:
                unreadable += 1
            else:
                ids.setdefault(key, index)
        yield
    return ids, unreadable


def _slots(
    body: list[Any], ids: dict[str, int], profile: ChainProfile
) -> Steps[tuple[dict[str, str], int]]:
    """Return the transaction of each slot, and the number of transactions with an unclear slot.

    If two transactions of one block claim a slot, sender and nonce are not a slot on this chain:
    neither of the two can have replaced the other.
    """
    slots: dict[str, str] = {}
    disputed: set[str] = set()
    unclear = 0
    for part in slices(ids.items()):
        for key, index in part:
            slot, is_readable = _slot(body[index], profile)
            if slot is None:
                unclear += not is_readable
            elif slots.setdefault(slot, key) != key:
                disputed.add(slot)
                unclear += 1
        yield
    for slot in disputed:
        del slots[slot]
    return slots, unclear + len(disputed)


def _hash_of(item: Any) -> str | None:
    text = item.get("hash") if isinstance(item, dict) else item
    return text.lower() if isinstance(text, str) and is_hash(text) else None


def _slot(item: Any, profile: ChainProfile) -> tuple[str | None, bool]:
    """Return the slot that a transaction takes, and whether its fields are readable."""
    if not profile.account_nonces:
        return None, True
    if not isinstance(item, dict):
        return None, False
    kind = 0 if item.get("type") is None else readable_quantity(item["type"])
    if kind is not None and kind not in profile.slot_types:
        return None, True
    sender = readable(address, item.get("from"))
    if sender == ZERO_ADDRESS:  # system transactions, such as Polygon's state sync
        return None, True
    nonce = readable_quantity(item.get("nonce"))
    if kind is None or sender is None or nonce is None:
        return None, False
    return f"{sender}:{nonce}", True


def _chain_id(fields: dict[str, Any]) -> int | None:
    """Return the chain that a transaction is signed for.

    No chain has the id 0 (EIP-155): nodes send it for unprotected and system transactions.
    """
    given = fields.get("chainId")
    return None if is_null(given) else quantity(given, "transaction's chain id") or None


def _max_fee(fields: dict[str, Any]) -> int | None:
    # The gasPrice of a mined transaction is the price that it paid, not its maximum fee.
    max_fee = readable_quantity(fields.get("maxFeePerGas"))
    return readable_quantity(fields.get("gasPrice")) if max_fee is None else max_fee


def _outcome(
    fields: dict[str, Any], profile: ChainProfile, errors: ErrorTable | None
) -> Outcome | None:
    if is_null(fields.get("status")):
        return None
    status = quantity(fields["status"], "receipt's status")
    if status not in (0, 1):
        raise wrong("receipt's status", "0x0 or 0x1", fields["status"])
    fee, scope = fees.fee(fields, profile)
    error = None if status else reasons.of_receipt(fields.get("revertReason"), errors)
    return Outcome(succeeded=status == 1, fee=fee, error=error, fee_scope=scope)
