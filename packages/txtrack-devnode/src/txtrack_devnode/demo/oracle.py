"""The expected final state of each payment, read from the chain and not from the tracker."""

from dataclasses import dataclass
from typing import Self

from transaction_tracker.domain import Reason, State, Tracked
from txtrack_devnode.chain import Chain
from txtrack_devnode.transaction import Transaction


@dataclass(frozen=True, slots=True)
class FinalState:
    """Final state of a transaction, with the transaction that replaced it and its error."""

    state: State
    winner: str | None = None
    reason: Reason | None = None
    error: str | None = None

    @classmethod
    def of_tracked(cls, tracked: Tracked) -> Self:
        """Return the final state that the tracker reports."""
        error = tracked.outcome.error if tracked.outcome else None
        return cls(tracked.state, tracked.superseded_by, tracked.reason, error)


class Oracle:
    """Reads final states from the canonical chain, by sender and nonce."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        blocks = filter(None, map(chain.block, range(chain.head.number + 1)))
        self._mined = {tx.slot: tx for block in blocks for tx in block.transactions}

    def final_state(self, tx: Transaction) -> FinalState:
        """Return the final state of ``tx``."""
        winner = self._mined.get(tx.slot)
        if winner is None:
            # Payments that are still pending at the end of the demo had a deadline.
            return FinalState("expired" if self._chain.pending(tx.hash) else "dropped")
        if winner.hash != tx.hash:
            return FinalState("replaced", winner.hash, _reason(tx, winner))
        mined = self._chain.mined(tx.hash)
        error = mined.block.revert_reason(tx.hash) if mined else None
        return FinalState("confirmed") if error is None else FinalState("failed", error=error)


def _reason(tx: Transaction, winner: Transaction) -> Reason:
    if (winner.to, winner.value, winner.data) == (tx.to, tx.value, tx.data):
        return "repriced"
    empty = winner.value == 0 and winner.data == "0x"
    return "cancelled" if empty and winner.to == winner.sender else "replaced"
