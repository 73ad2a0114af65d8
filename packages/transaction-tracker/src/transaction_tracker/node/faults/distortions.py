"""Faults that make a call's result wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from transaction_tracker.node.chain import Chain
from transaction_tracker.node.faults.kind import Call, Fault
from transaction_tracker.node.view import View

_BLOCKS = ("eth_getBlockByHash", "eth_getBlockByNumber")
_RECEIPTS = ("eth_getTransactionReceipt", "eth_getBlockReceipts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion(Fault):
    """Strikes the result of one call, alone or in a batch."""

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Give the wrong result; ``result`` itself where there is nothing to make wrong."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleNull(Distortion):
    """``null`` for a transaction, a receipt or a block that the node has."""

    name: ClassVar[str] = "stale-null"
    concerned: ClassVar[frozenset[str]] = frozenset(
        ("eth_getTransactionByHash", *_BLOCKS, *_RECEIPTS)
    )

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Give nothing."""
        del call, result, state
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReceipts(Distortion):
    """Receipts are ``null`` until ``blocks`` more blocks are on top of theirs."""

    name: ClassVar[str] = "lagging-receipts"
    concerned: ClassVar[frozenset[str]] = frozenset(_RECEIPTS)
    blocks: int = 1

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Give nothing if the block is new."""
        del call
        newest = state.head.number - self.blocks
        late = any(int(receipt["blockNumber"], 16) > newest for receipt in _records(result))
        return None if late else result


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignReceipt(Distortion):
    """A receipt says that it is of the block before its own."""

    name: ClassVar[str] = "foreign-receipt"
    concerned: ClassVar[frozenset[str]] = frozenset(_RECEIPTS)

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Move all receipts."""
        del call

        def moved(receipt: dict[str, Any]) -> dict[str, Any]:
            block = state.block(int(receipt["blockNumber"], 16) - 1)
            place = {"blockHash": block.hash, "blockNumber": hex(block.number)} if block else {}
            return receipt | place

        return _mapped(result, moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedTransaction(Distortion):
    """A block has its first transaction twice, its receipts likewise."""

    name: ClassVar[str] = "duplicated-transaction"
    concerned: ClassVar[frozenset[str]] = frozenset((*_BLOCKS, "eth_getBlockReceipts"))

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Repeat the first one at the end."""
        del call, state
        found = plain(result)
        if isinstance(found, list):
            return [*found, found[0]] if found else result
        transactions = found["transactions"]
        if not transactions:
            return result
        return found | {"transactions": [*transactions, transactions[0]]}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongChainId(Distortion):
    """The node says that it is on chain ``chain_id``."""

    name: ClassVar[str] = "wrong-chain-id"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_chainId", "net_version"))
    chain_id: int = 1

    def distorted(self, call: Call, result: object, state: Chain | View) -> object:
        """Give the other number, in the method's notation."""
        del result, state
        return hex(self.chain_id) if call.method == "eth_chainId" else str(self.chain_id)


def plain(result: object) -> Any:
    """Read a result that is kept as text."""
    return orjson.loads(orjson.dumps(result)) if isinstance(result, orjson.Fragment) else result


def _records(result: object) -> list[dict[str, Any]]:
    found = plain(result)
    return found if isinstance(found, list) else [found]


def _mapped(result: object, change: Callable[[dict[str, Any]], dict[str, Any]]) -> object:
    found = plain(result)
    return [change(item) for item in found] if isinstance(found, list) else change(found)
