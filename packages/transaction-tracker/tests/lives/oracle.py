"""Whether each reported end was true on the canonical chain when it was reported."""

import time
from collections import defaultdict
from collections.abc import Iterable

from transaction_tracker import State
from transaction_tracker.delivery.listener import StoredEvent
from transaction_tracker.domain import Tracked
from transaction_tracker.domain.states import ANCHORED
from txtrack_devnode import Block, Chain, Transaction

DROP_SECONDS = 20.0


class Oracle:
    """Records since when each transaction has its end on the canonical chain.

    The lives never remove a block that is ``confirmations`` deep, so an end that is true stays
    true.

    Args:
        chain: The canonical chain.
        confirmations: Number of confirmations that make a state final.

    Attributes:
        states: The reported states of each transaction, with the times at which they were stored.
        events: The reported events of each transaction.
        left: The blocks that each transaction left in a reorganisation, by its events.
        lost: Transactions reported as dropped although the canonical chain had them all the time.
    """

    def __init__(self, chain: Chain, confirmations: int) -> None:
        self.states: dict[str, list[tuple[State, float]]] = defaultdict(list)
        self.events: dict[str, list[Tracked]] = defaultdict(list)
        self.left: dict[str, set[str]] = defaultdict(set)
        self.lost: set[str] = set()
        self._known_since: dict[str, float] = {}
        self._anchors: dict[str, str] = {}
        self._chain = chain
        self._confirmations = confirmations
        self._final_blocks: set[str] = set()
        self._ends: dict[str, tuple[State, float]] = {}
        self._winners: dict[tuple[str, int], tuple[Transaction, float]] = {}
        self._seen: set[tuple[str, int]] = set()
        chain.watch(self._record_block)

    def winner(self, tx: Transaction) -> Transaction | None:
        """Return the final transaction that has the slot of ``tx``, if there is one."""
        found = self._winners.get(tx.slot) if tx.ordered else None
        return found[0] if found else None

    def update(self, transactions: Iterable[Transaction]) -> None:
        """Record which transactions are pending or mined; must be called after each change."""
        for tx in transactions:
            if self._chain.pending(tx.hash) or self._chain.mined(tx.hash):
                self._known_since.setdefault(tx.hash, time.time())
            else:
                self._known_since.pop(tx.hash, None)

    def record_event(self, event: StoredEvent) -> None:
        """Record an event; ignore a repeated one."""
        after = event.tracked
        if (after.id, after.version) in self._seen:
            return
        self._seen.add((after.id, after.version))
        self.states[after.id].append((after.state, event.recorded_at))
        self.events[after.id].append(after)
        known_since = self._known_since.get(after.id, event.recorded_at)
        if after.state == "dropped" and event.recorded_at - known_since > DROP_SECONDS:
            self.lost.add(after.id)
        if event.previous in ANCHORED and after.state == "pending" and after.id in self._anchors:
            self.left[after.id].add(self._anchors.pop(after.id))
        if after.anchor is not None:
            self._anchors[after.id] = after.anchor.hash

    def wrongly_left(self, tx: Transaction) -> list[str]:
        """Return the canonical blocks that a transaction has left, by its events."""
        return [
            block_hash
            for block_hash in sorted(self.left[tx.hash])
            if (block := self._chain.block_by_hash(block_hash)) is not None
            and self._chain.is_canonical(block)
        ]

    def false_ends(self, tx: Transaction) -> list[str]:
        """Return the ends of a transaction that were false when they were reported."""
        return [
            f"{state} at {at:.3f}, but {self._since(state, tx)}"
            for state, at in self.states[tx.hash]
            if self._is_false(state, at, tx)
        ]

    def _is_false(self, state: State, at: float, tx: Transaction) -> bool:
        if state == "invalid":
            return True  # the lives send no invalid transaction
        own, since = self._ends.get(tx.hash, (None, None))
        if state == "dropped":
            return since is not None and since <= at
        if state in ("confirmed", "failed"):
            return state != own or since is None or at < since
        if state != "replaced":
            return False
        winner, won = self._winners.get(tx.slot, (None, 0.0)) if tx.ordered else (None, 0.0)
        return winner is None or winner.hash == tx.hash or at < won

    def _since(self, state: State, tx: Transaction) -> str:
        if tx.hash in self._ends:
            own, since = self._ends[tx.hash]
            return f"the chain has it {own} since {since:.3f}"
        if state == "replaced" and (winner := self.winner(tx)) is not None:
            return f"{winner.hash} has its slot only since {self._winners[tx.slot][1]:.3f}"
        return "the chain never had it at that depth"

    def _record_block(self, head: Block) -> None:
        # By block and not by number: after a reorganisation, a final number that had no block
        # can have one.
        for number in range(head.number - self._confirmations + 1, 0, -1):
            block = self._chain.block(number)
            if block is None:
                continue
            if block.hash in self._final_blocks:
                break
            self._final_blocks.add(block.hash)
            for tx in block.transactions:
                reverted = block.revert_reason(tx.hash) is not None
                now = time.time()
                self._ends[tx.hash] = ("failed" if reverted else "confirmed", now)
                self._winners[tx.slot] = (tx, now)
