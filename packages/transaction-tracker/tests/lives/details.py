"""What events say beside the state: fees, reasons of reverts, labels of replacements."""

from transaction_tracker import State
from transaction_tracker.domain import FeeScope, Outcome, Tracked
from txtrack_devnode import Block, Chain, Transaction

from .receipts import OtherReceipts

_LABELLED: tuple[State, ...] = ("superseded", "replaced")


class Details:
    """Compares details of events with the chain that has the block.

    Args:
        chain: The chain proper.
        receipts: What receipts have beside the development node's own fields, if anything.
        scope: Whether the chain's profile knows all fees.
        exact: Whether no provider says anything odd: then each detail must be there. Otherwise
            one can be missing, and never wrong.
    """

    def __init__(
        self, chain: Chain, receipts: OtherReceipts | None, scope: FeeScope, *, exact: bool
    ) -> None:
        self._chain = chain
        self._receipts = receipts
        self._scope = scope
        self._exact = exact

    def wrong(self, tx: Transaction, tracked: Tracked) -> list[str]:
        """List what an event says of a transaction that is not so."""
        anchor = tracked.anchor
        block = None if anchor is None else self._chain.block_by_hash(anchor.hash)
        if block is None or tx.system:
            return []  # a block of another branch is judged by the end
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
        told = outcome.fee, outcome.fee_scope
        right: list[tuple[int | None, FeeScope]] = [(execution + extra, self._scope)]
        if not self._exact:
            right.append((execution, "execution"))
        if told in right or (outcome.fee is None and not self._exact):
            return []
        return [f"fee {told}, not {right[0]}"]

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
    """Compare what a winner is called with what it does (rule 11.12)."""
    winner = next((one for one in block.transactions if one.hash == tracked.superseded_by), None)
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
