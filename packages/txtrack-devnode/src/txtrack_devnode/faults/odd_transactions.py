"""Faults that change selected transactions in blocks, receipts and look-ups alike.

Real nodes do this consistently, so ``part`` and ``transaction`` select the transactions by their
hashes and not at random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from txtrack_devnode.blocks import Mined
from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import (
    BLOCKS,
    RECEIPTS,
    Record,
    ResultFault,
    decoded,
    receipts_changed,
)
from txtrack_devnode.view import ChainView
from txtrack_devnode.wire import transaction_json

TRANSACTION = "eth_getTransactionByHash"
_ZERO_HASH = "0x" + "0" * 64
_HEAD_FIELDS = {"transaction": "hash", "block": "hash", "receipt": "transactionHash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OddField(ResultFault):
    """The ``field`` of each ``record`` has the value ``value``; "absent" removes it.

    Records are selected by ``part`` and ``transaction``: transactions and receipts by the
    transaction's hash, blocks by their own.
    """

    name: ClassVar[str] = "odd-field"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION, *BLOCKS, *RECEIPTS))
    record: Literal["transaction", "receipt", "block"] = "transaction"
    field: str = "nonce"
    value: str = "null"
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Change the field in all selected records."""
        del state
        if self.record == "transaction":
            return transactions_changed(call, result, self._changed)
        if self.record == "receipt":
            return receipts_changed(result, self._changed) if call.method in RECEIPTS else result
        return self._changed(decoded(result)) if call.method in BLOCKS else result

    def _changed(self, record: Record) -> Record:
        if not self.affects(record[_HEAD_FIELDS[self.record]]):
            return record
        if self.value == "absent":
            return {name: value for name, value in record.items() if name != self.field}
        return record | {self.field: None if self.value == "null" else self.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprotected(ResultFault):
    """Transactions have the legacy type and ``chainId`` 0x0, as without EIP-155."""

    name: ClassVar[str] = "unprotected"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION, *BLOCKS))
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
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
class ListedTwice(ResultFault):
    """A block also lists the transactions of the block before it.

    Look-ups and receipts name the first of the two. Seen at Arbitrum (classic), XDC and Cronos.
    """

    name: ClassVar[str] = "listed-twice"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Append the transactions, in full or as hashes like the block's own."""
        listed = decoded(result)
        block = state.block_by_hash(listed["hash"] or "")
        before = state.block_by_hash(listed["parentHash"])
        again = [tx for tx in before.transactions if self.affects(tx.hash)] if before else []
        if block is None or not again:
            return result
        full = _asks_for_full(call)
        last = len(block.transactions)
        more = [
            transaction_json(Mined(tx, block, last + index)) if full else tx.hash
            for index, tx in enumerate(again)
        ]
        return listed | {"transactions": [*listed["transactions"], *more]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OddPending(ResultFault):
    """A pending transaction has zeros (``shape=zero``) or "0x" (``empty``) in place of null."""

    name: ClassVar[str] = "odd-pending"
    concerned: ClassVar[frozenset[str]] = frozenset((TRANSACTION,))
    shape: Literal["zero", "empty"] = "zero"
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Fill in the block of a pending transaction."""
        del call, state
        found = decoded(result)
        if found["blockHash"] is not None or not self.affects(found["hash"]):
            return result
        if self.shape == "empty":
            return found | dict.fromkeys(("blockHash", "blockNumber", "transactionIndex"), "0x")
        return found | {"blockHash": _ZERO_HASH, "blockNumber": "0x0", "transactionIndex": "0x0"}


def _asks_for_full(call: Call) -> bool:
    return len(call.params) > 1 and call.params[1] is True


def transactions_changed(call: Call, result: object, change: Callable[[Record], Record]) -> object:
    """Apply ``change`` to each full transaction; return ``result`` itself if nothing changed."""
    found = decoded(result)
    if call.method == TRANSACTION:
        changed = change(found)
    elif call.method in BLOCKS and isinstance(next(iter(found["transactions"]), None), dict):
        changed = found | {"transactions": [change(item) for item in found["transactions"]]}
    else:
        return result
    return result if changed == found else changed
