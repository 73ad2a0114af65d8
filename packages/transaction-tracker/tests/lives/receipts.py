"""Receipts as other chains and nodes write them: with more fees, and reasons as bytes."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode import Chain
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import (
    RECEIPTS,
    Record,
    ResultFault,
    receipts_changed,
)
from txtrack_devnode.view import ChainView

# Solidity's Panic(uint256) with the code of an overflow, and an error of a contract's own.
_PANIC = f"0x4e487b71{0x11:064x}"
_CUSTOM = "0x12345678"
_WORDS = {
    _PANIC: "panic 0x11: arithmetic overflow or underflow",
    _CUSTOM: "custom error 0x12345678",
}
_OF_ACCOUNTS = ("0x0", "0x2", "0x4")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReceipts(ResultFault):
    """The chain takes more than the gas, and reasons are not only text.

    Not a fault: each provider sends such receipts, and they are right.
    """

    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Write the receipts of accounts in this way."""
        del call, state
        return receipts_changed(result, self._written)

    def extra_fee(self, tx_hash: str) -> int:
        """Return what a transaction costs beside its gas, in wei."""
        return 10**12 + int(tx_hash[-6:], 16)

    def reason(self, tx_hash: str, reason: str) -> str:
        """Return why a transaction reverted, in the words of the tracker."""
        return _WORDS.get(_returned(tx_hash) or "", reason)

    def in_receipt(self, tx_hash: str) -> bool:
        """Return whether the receipt of a reverted transaction has the reason."""
        return _returned(tx_hash) != ""

    def fees(self, tx_hash: str) -> Record:
        """Return the fields that have the rest of the fee."""
        raise NotImplementedError

    def _written(self, receipt: Record) -> Record:
        if receipt["type"] not in _OF_ACCOUNTS:
            return receipt
        key = receipt["transactionHash"]
        changed = receipt | self.fees(key)
        returned = _returned(key)
        if "revertReason" in changed and returned is not None:
            del changed["revertReason"]
            changed |= {"revertReason": returned} if returned else {}
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupReceipts(OtherReceipts):
    """The fee for data on the parent chain is a field of its own (OP Stack)."""

    name: ClassVar[str] = "rollup-receipts"

    def fees(self, tx_hash: str) -> Record:
        """Return the fee for data."""
        return {"l1Fee": hex(self.extra_fee(tx_hash))}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReceipts(OtherReceipts):
    """Blobs are paid for, too (EIP-4844)."""

    name: ClassVar[str] = "blob-receipts"

    def fees(self, tx_hash: str) -> Record:
        """Return the gas of blobs and its price."""
        return {"blobGasUsed": hex(self.extra_fee(tx_hash)), "blobGasPrice": "0x1"}


def _returned(tx_hash: str) -> str | None:
    """Return what stands in ``revertReason``: empty for nothing, ``None`` for the text."""
    return (None, _PANIC, _CUSTOM, "")[int(tx_hash[2:4], 16) % 4]
