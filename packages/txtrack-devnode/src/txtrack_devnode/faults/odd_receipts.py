"""Faults that change the receipts of selected transactions: see ``odd_transactions``."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import (
    RECEIPTS,
    Record,
    ResultFault,
    decoded,
    receipts_changed,
)
from txtrack_devnode.hashing import digest
from txtrack_devnode.view import ChainView

_FLIPPED = {"0x0": "0x1", "0x1": "0x0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingReceipt(ResultFault):
    """The receipt is missing, although the transaction is in its block."""

    name: ClassVar[str] = "missing-receipt"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return ``None``, or for a whole block all other receipts."""
        del call, state
        found = decoded(result)
        if isinstance(found, list):
            kept = [item for item in found if not self.affects(item["transactionHash"])]
            return result if len(kept) == len(found) else kept
        return None if self.affects(found["transactionHash"]) else result


@dataclass(frozen=True, slots=True, kw_only=True)
class NoStatus(ResultFault):
    """A receipt has ``root`` instead of ``status``, as before Byzantium."""

    name: ClassVar[str] = "no-status"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Replace the status by a root."""
        del call, state

        def older(receipt: Record) -> Record:
            if not self.affects(receipt["transactionHash"]):
                return receipt
            kept = {key: value for key, value in receipt.items() if key != "status"}
            return kept | {"root": digest("root", receipt["transactionHash"])}

        return receipts_changed(result, older)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedStatus(ResultFault):
    """A receipt has the opposite status."""

    name: ClassVar[str] = "flipped-status"
    concerned: ClassVar[frozenset[str]] = frozenset(RECEIPTS)
    part: float = 1.0
    transaction: str | None = None

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Invert the status."""
        del call, state

        def flipped(receipt: Record) -> Record:
            if not self.affects(receipt["transactionHash"]):
                return receipt
            return receipt | {"status": _FLIPPED[receipt["status"]]}

        return receipts_changed(result, flipped)
