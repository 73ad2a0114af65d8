"""What really became of each payment, read from the chain itself and not from the tracker."""

from dataclasses import dataclass
from typing import Self

from transaction_tracker.domain import Reason, State, Tracked
from txtrack_devnode.chain import Chain
from txtrack_devnode.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Ending:
    """How a transaction ended: the state, the rival that won, why it failed."""

    state: State
    winner: str | None = None
    reason: Reason | None = None
    error: str | None = None

    @classmethod
    def seen(cls, tracked: Tracked) -> Self:
        """Take what the tracker says."""
        error = tracked.outcome.error if tracked.outcome else None
        return cls(tracked.state, tracked.superseded_by, tracked.reason, error)


class Oracle:
    """Knows every transaction of the canonical chain by its sender and nonce."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        blocks = filter(None, map(chain.block, range(chain.head.number + 1)))
        self._mined = {tx.slot: tx for block in blocks for tx in block.transactions}

    def ending(self, tx: Transaction) -> Ending:
        """Tell how ``tx`` ended."""
        winner = self._mined.get(tx.slot)
        if winner is None:
            # Who still waits at the end is one whose deadline has passed.
            return Ending("expired" if self._chain.pending(tx.hash) else "dropped")
        if winner.hash != tx.hash:
            return Ending("replaced", winner.hash, _reason(tx, winner))
        mined = self._chain.mined(tx.hash)
        error = mined.block.revert_reason(tx.hash) if mined else None
        return Ending("confirmed") if error is None else Ending("failed", error=error)


def _reason(tx: Transaction, winner: Transaction) -> Reason:
    if (winner.to, winner.value, winner.data) == (tx.to, tx.value, tx.data):
        return "repriced"
    empty = winner.value == 0 and winner.data == "0x"
    return "cancelled" if empty and winner.to == winner.sender else "replaced"
