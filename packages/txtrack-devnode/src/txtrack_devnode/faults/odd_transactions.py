"""Faults that make single transactions odd, in blocks, receipts and look-ups alike.

Real nodes do this consistently, so ``part`` and ``transaction`` choose the transactions, whatever
the chance does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from txtrack_devnode.blocks import Mined
from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.distortions import (
    BLOCKS,
    RECEIPTS,
    Distortion,
    Record,
    plain,
    receipts_changed,
)
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.view import ChainView
from txtrack_devnode.wire import transaction_json

TRANSACTION = "eth_getTransactionByHash"
_ZERO_HASH = "0x" + "0" * 64
_HEAD_FIELDS = {"transaction": "hash", "block": "hash", "receipt": "transactionHash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OddField(Distortion):
    """The ``field`` of each ``record`` reads ``value``; "absent" leaves it out.

    Records are chosen by ``part`` and ``transaction``: transactions and receipts by the
    transaction's hash, blocks by their own.
    """

    name: ClassVar[str] = "odd-field"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION, *BLOCKS, *RECEIPTS))
    record: Literal["transaction", "receipt", "block"] = "transaction"
    field: str = "nonce"
    value: str = "null"
    part: float = 1.0
    transaction: str | None = None

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Change the field in all records of this kind."""
        del state
        if self.record == "transaction":
            return transactions_changed(call, result, self._changed)
        if self.record == "receipt":
            return receipts_changed(result, self._changed) if call.method in RECEIPTS else result
        return self._changed(plain(result)) if call.method in BLOCKS else result

    def _changed(self, record: Record) -> Record:
        if not self.affects(record[_HEAD_FIELDS[self.record]]):
            return record
        if self.value == "absent":
            return {name: value for name, value in record.items() if name != self.field}
        return record | {self.field: None if self.value == "null" else self.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprotected(Distortion):
    """Transactions are legacy ones with ``chainId`` 0x0: from before EIP-155, or signed so."""

    name: ClassVar[str] = "unprotected"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION, *BLOCKS))
    part: float = 1.0
    transaction: str | None = None

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Rewrite the fields that depend on the type."""
        del state
        return transactions_changed(call, result, self._changed)

    def _changed(self, transaction: Record) -> Record:
        if not self.affects(transaction["hash"]):
            return transaction
        newer = ("maxFeePerGas", "maxPriorityFeePerGas", "accessList", "yParity")
        older = {name: value for name, value in transaction.items() if name not in newer}
        return older | {"type": "0x0", "chainId": "0x0", "v": "0x1b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTwice(Distortion):
    """A block also lists the transactions of the block before it.

    Look-ups and receipts name the first of the two. Seen at Arbitrum (classic), XDC and Cronos.
    """

    name: ClassVar[str] = "listed-twice"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)
    part: float = 1.0
    transaction: str | None = None

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Append the transactions, in the form in which the block's own ones are."""
        listed = plain(result)
        block = state.block_by_hash(listed["hash"] or "")
        before = state.block_by_hash(listed["parentHash"])
        again = [tx for tx in before.transactions if self.affects(tx.hash)] if before else []
        if block is None or not again:
            return result
        whole = _asks_for_all(call)
        last = len(block.transactions)
        more = [
            transaction_json(Mined(tx, block, last + index)) if whole else tx.hash
            for index, tx in enumerate(again)
        ]
        return listed | {"transactions": [*listed["transactions"], *more]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OddPending(Distortion):
    """A pending transaction has zeros (``shape=zero``) or "0x" (``empty``) in place of null."""

    name: ClassVar[str] = "odd-pending"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION,))
    shape: Literal["zero", "empty"] = "zero"
    part: float = 1.0
    transaction: str | None = None

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Fill in the place that the transaction does not have."""
        del call, state
        found = plain(result)
        if found["blockHash"] is not None or not self.affects(found["hash"]):
            return result
        if self.shape == "empty":
            return found | dict.fromkeys(("blockHash", "blockNumber", "transactionIndex"), "0x")
        return found | {"blockHash": _ZERO_HASH, "blockNumber": "0x0", "transactionIndex": "0x0"}


def _asks_for_all(call: Call) -> bool:
    return len(call.params) > 1 and call.params[1] is True


def transactions_changed(call: Call, result: object, change: Callable[[Record], Record]) -> object:
    """Change the whole transactions in a result; ``result`` itself if that changes nothing."""
    found = plain(result)
    if call.method == TRANSACTION:
        changed = change(found)
    elif call.method in BLOCKS and isinstance(next(iter(found["transactions"]), None), dict):
        changed = found | {"transactions": [change(item) for item in found["transactions"]]}
    else:
        return result
    return result if changed == found else changed
