"""Faults that make a call's result wrong."""

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
class Distortion(Fault):
    """Strikes the result of one call, alone or in a batch."""

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Give the wrong result; ``result`` itself where there is nothing to make wrong."""
        raise NotImplementedError

    def affects(self, tx_hash: str) -> bool:
        """Return whether a transaction is among those that ``part`` and ``transaction`` choose.

        Kinds without these options affect all.
        """
        only: str | None = getattr(self, "transaction", None)
        if only is not None:
            return tx_hash == only
        part: float = getattr(self, "part", 1.0)
        return int(tx_hash[-8:], 16) < part * 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleNull(Distortion):
    """``null`` for a transaction, a receipt or a block that the node has."""

    name: ClassVar[str] = "stale-null"
    concerned: ClassVar[frozenset[str]] = frozenset(
        ("eth_getTransactionByHash", *BLOCKS, *RECEIPTS)
    )

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Give nothing."""
        del call, result, state
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReceipts(Distortion):
    """Receipts are ``null`` until ``blocks`` more blocks are on top of theirs."""

    name: ClassVar[str] = "lagging-receipts"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    blocks: int = 1

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Give nothing if the block is new."""
        del call
        newest = state.head.number - self.blocks
        late = any(int(receipt["blockNumber"], 16) > newest for receipt in _records(result))
        return None if late else result


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignReceipt(Distortion):
    """A receipt says that it is of the block before its own."""

    name: ClassVar[str] = "foreign-receipt"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    part: float = 1.0
    transaction: str | None = None

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Move the receipts."""
        del call

        def moved(receipt: Record) -> Record:
            if not self.affects(receipt["transactionHash"]):
                return receipt
            block = state.block(int(receipt["blockNumber"], 16) - 1)
            place = {"blockHash": block.hash, "blockNumber": hex(block.number)} if block else {}
            return receipt | place

        return receipts_changed(result, moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedTransaction(Distortion):
    """A block has its first transaction twice, its receipts likewise.

    The second one has the same index, or with ``renumbered`` one of its own.
    """

    name: ClassVar[str] = "duplicated-transaction"
    concerned: ClassVar[frozenset[str]] = frozenset((*BLOCKS, "eth_getBlockReceipts"))

    renumbered: bool = False

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Repeat the first one at the end."""
        del call, state
        found = plain(result)
        records = found if isinstance(found, list) else found["transactions"]
        if not records:
            return result
        again = records[0]
        if self.renumbered and isinstance(again, dict):
            again = again | {"transactionIndex": hex(len(records))}
        longer = [*records, again]
        return longer if isinstance(found, list) else found | {"transactions": longer}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongChainId(Distortion):
    """The node says that it is on chain ``chain_id``."""

    name: ClassVar[str] = "wrong-chain-id"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_chainId", "net_version"))
    chain_id: int = 1

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Give the other number, in the method's notation."""
        del result, state
        return hex(self.chain_id) if call.method == "eth_chainId" else str(self.chain_id)


def plain(result: object) -> Any:
    """Read a result that is kept as text."""
    return orjson.loads(orjson.dumps(result)) if isinstance(result, orjson.Fragment) else result


def _records(result: object) -> list[Record]:
    found = plain(result)
    return found if isinstance(found, list) else [found]


def receipts_changed(result: object, change: Callable[[Record], Record]) -> object:
    """Change a receipt, or each of a list; ``result`` itself if that changes nothing."""
    found = plain(result)
    changed = [change(item) for item in found] if isinstance(found, list) else change(found)
    return result if changed == found else changed
