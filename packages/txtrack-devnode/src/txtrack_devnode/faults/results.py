"""Faults that change the result of a call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import orjson

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.kind import Call, Fault
from txtrack_devnode.view import ChainView

BLOCKS = ("eth_getBlockByHash", "eth_getBlockByNumber")
RECEIPTS = ("eth_getTransactionReceipt", "eth_getBlockReceipts")

Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFault(Fault):
    """Changes the result of a call, alone or in a batch."""

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return the changed result, or ``result`` itself if the fault does not change it."""
        raise NotImplementedError

    def affects(self, tx_hash: str) -> bool:
        """Return whether ``part`` and ``transaction`` select a transaction.

        Faults without these options select all.
        """
        only: str | None = getattr(self, "transaction", None)
        if only is not None:
            return tx_hash == only
        part: float = getattr(self, "part", 1.0)
        return int(tx_hash[-8:], 16) < part * 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleNull(ResultFault):
    """``null`` for a transaction, a receipt or a block that the node has."""

    name: ClassVar[str] = "stale-null"
    concerned: ClassVar[frozenset[str]] = frozenset(
        ("eth_getTransactionByHash", *BLOCKS, *RECEIPTS)
    )

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return ``None``."""
        del call, result, state
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReceipts(ResultFault):
    """Receipts are ``null`` until their block is ``blocks`` blocks below the head."""

    name: ClassVar[str] = "lagging-receipts"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    blocks: int = 1

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return ``None`` if the block is too new."""
        del call
        newest = state.head.number - self.blocks
        late = any(int(receipt["blockNumber"], 16) > newest for receipt in _records(result))
        return None if late else result


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignReceipt(ResultFault):
    """A receipt names the block before its own."""

    name: ClassVar[str] = "foreign-receipt"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Change the block of the receipts."""
        del call

        def moved(receipt: Record) -> Record:
            if not self.affects(receipt["transactionHash"]):
                return receipt
            block = state.block(int(receipt["blockNumber"], 16) - 1)
            place = {"blockHash": block.hash, "blockNumber": hex(block.number)} if block else {}
            return receipt | place

        return receipts_changed(result, moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedTransaction(ResultFault):
    """A block has its first transaction twice, and its receipt too.

    The second one has the same index, or with ``renumbered`` an index of its own.
    """

    name: ClassVar[str] = "duplicated-transaction"
    concerned: ClassVar[frozenset[str]] = frozenset((*BLOCKS, "eth_getBlockReceipts"))

    renumbered: bool = False

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Append the first transaction or receipt again."""
        del call, state
        found = decoded(result)
        records = found if isinstance(found, list) else found["transactions"]
        if not records:
            return result
        again = records[0]
        if self.renumbered and isinstance(again, dict):
            again = again | {"transactionIndex": hex(len(records))}
        longer = [*records, again]
        return longer if isinstance(found, list) else found | {"transactions": longer}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongChainId(ResultFault):
    """The node reports the chain id ``chain_id``."""

    name: ClassVar[str] = "wrong-chain-id"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_chainId", "net_version"))
    chain_id: int = 1

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return the other chain id, in the notation of the method."""
        del result, state
        return hex(self.chain_id) if call.method == "eth_chainId" else str(self.chain_id)


def decoded(result: object) -> Any:
    """Return a result as Python values; blocks and receipts are cached as JSON text."""
    return orjson.loads(orjson.dumps(result)) if isinstance(result, orjson.Fragment) else result


def _records(result: object) -> list[Record]:
    found = decoded(result)
    return found if isinstance(found, list) else [found]


def receipts_changed(result: object, change: Callable[[Record], Record]) -> object:
    """Apply ``change`` to each receipt; return ``result`` itself if nothing changed."""
    found = decoded(result)
    changed = [change(item) for item in found] if isinstance(found, list) else change(found)
    return result if changed == found else changed
