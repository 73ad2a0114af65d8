"""Receipts of other chains and nodes: with additional fees, and revert reasons as bytes."""

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

# Solidity's Panic(uint256) with the code of an overflow, and a custom error of a contract.
_PANIC = f"0x4e487b71{0x11:064x}"
_CUSTOM = "0x12345678"
_REASONS = {
    _PANIC: "panic 0x11: arithmetic overflow or underflow",
    _CUSTOM: "custom error 0x12345678",
}
_OF_ACCOUNTS = ("0x0", "0x2", "0x4")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReceipts(ResultFault):
    """Receipts with additional fees, and with revert reasons that are not text.

    Not a fault: each provider sends such receipts, and they are correct.
    """

    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Change the receipts of transactions that accounts have sent."""
        del call, state
        return receipts_changed(result, self._changed_receipt)

    def extra_fee(self, tx_hash: str) -> int:
        """Return the additional fee of a transaction, in wei."""
        return 10**12 + int(tx_hash[-6:], 16)

    def reason(self, tx_hash: str, reason: str) -> str:
        """Return the revert reason of a transaction, as the tracker reports it."""
        return _REASONS.get(_revert_data(tx_hash) or "", reason)

    def in_receipt(self, tx_hash: str) -> bool:
        """Return whether the receipt of a reverted transaction has the reason."""
        return _revert_data(tx_hash) != ""

    def fees(self, tx_hash: str) -> Record:
        """Return the receipt fields of the additional fee."""
        raise NotImplementedError

    def _changed_receipt(self, receipt: Record) -> Record:
        if receipt["type"] not in _OF_ACCOUNTS:
            return receipt
        key = receipt["transactionHash"]
        changed = receipt | self.fees(key)
        data = _revert_data(key)
        if "revertReason" in changed and data is not None:
            del changed["revertReason"]
            changed |= {"revertReason": data} if data else {}
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupReceipts(OtherReceipts):
    """Receipts with a field for the fee of data on the parent chain (OP Stack)."""

    name: ClassVar[str] = "rollup-receipts"

    def fees(self, tx_hash: str) -> Record:
        """Return the field of the fee for data."""
        return {"l1Fee": hex(self.extra_fee(tx_hash))}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReceipts(OtherReceipts):
    """Receipts with the gas of blobs (EIP-4844)."""

    name: ClassVar[str] = "blob-receipts"

    def fees(self, tx_hash: str) -> Record:
        """Return the gas of blobs and its price."""
        return {"blobGasUsed": hex(self.extra_fee(tx_hash)), "blobGasPrice": "0x1"}


def _revert_data(tx_hash: str) -> str | None:
    """Return the ``revertReason`` of a receipt: empty for none, ``None`` for the text."""
    return (None, _PANIC, _CUSTOM, "")[int(tx_hash[2:4], 16) % 4]
