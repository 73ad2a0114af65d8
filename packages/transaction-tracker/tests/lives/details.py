"""Details of events other than the state: fees, revert reasons, labels of replacements."""

from transaction_tracker import State
from transaction_tracker.domain import FeeScope, Outcome, Tracked
from txtrack_devnode import Block, Chain, Transaction

from .receipts import OtherReceipts

_LABELLED: tuple[State, ...] = ("superseded", "replaced")


class Details:
    """Compares details of events with the chain that has the block.

    Args:
        chain: The canonical chain.
        receipts: Additional fields of the receipts, if any.
        scope: Scope of the fees by the chain's profile.
        exact: Whether no provider sends odd data: then each detail must be present. Otherwise, a
            detail can be missing, but never wrong.
    """

    def __init__(
        self, chain: Chain, receipts: OtherReceipts | None, scope: FeeScope, *, exact: bool
    ) -> None:
        self._chain = chain
        self._receipts = receipts
        self._scope = scope
        self._exact = exact

    def wrong(self, tx: Transaction, tracked: Tracked) -> list[str]:
        """Return the wrong details of an event."""
        anchor = tracked.anchor
        block = None if anchor is None else self._chain.block_by_hash(anchor.hash)
        if block is None or tx.system:
            return []  # for a block of another branch, only the end is checked
        if tracked.state in _LABELLED:
            return _wrong_label(tx, block, tracked)
        if tracked.outcome is None:
            return []
        return [
            *self._wrong_fee(tx, block, tracked.outcome),
            *self._wrong_reason(tx, block, tracked.outcome),
        ]

    def _wrong_fee(self, tx: Transaction, block: Block, outcome: Outcome) -> list[str]:
        execution = tx.gas_used * tx.gas_price(block.base_fee)
        extra = 0 if self._receipts is None else self._receipts.extra_fee(tx.hash)
        reported = outcome.fee, outcome.fee_scope
        right: list[tuple[int | None, FeeScope]] = [(execution + extra, self._scope)]
        if not self._exact:
            right.append((execution, "execution"))
        if reported in right or (outcome.fee is None and not self._exact):
            return []
        return [f"fee {reported}, not {right[0]}"]

    def _wrong_reason(self, tx: Transaction, block: Block, outcome: Outcome) -> list[str]:
        reason, in_receipt = block.revert_reason(tx.hash), True
        if reason is not None and self._receipts is not None:
            reason, in_receipt = (
                self._receipts.reason(tx.hash, reason),
                self._receipts.in_receipt(tx.hash),
            )
        can_be_missing = not self._exact or not in_receipt
        if outcome.error == reason or (outcome.error is None and can_be_missing):
            return []
        return [f"reason {outcome.error!r}, not {reason!r}"]


def _wrong_label(tx: Transaction, block: Block, tracked: Tracked) -> list[str]:
    """Compare the label of a replacement with its content (rule 11.12)."""
    hash_ = tracked.superseded_by
    winner = next((mined for mined in block.transactions if mined.hash == hash_), None)
    if winner is None:
        return [f"block {block.number} does not have the winner {tracked.superseded_by}"]
    nothing = (winner.sender, 0, "0x", ())
    if _content(tx) == _content(winner):
        label = "repriced"
    else:
        label = "cancelled" if _content(winner) == nothing else "replaced"
    return [] if tracked.reason == label else [f"label {tracked.reason}, not {label}"]


def _content(tx: Transaction) -> tuple[object, ...]:
    return tx.to, tx.value, tx.data, tx.authorizations
