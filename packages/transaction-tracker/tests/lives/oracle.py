"""What the chain proper says of each end, at the moment at which it was told."""

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
    """Knows since when each transaction has had its end on the chain proper.

    The lives never take back what is ``confirmations`` deep, so an end that is true stays so.

    Args:
        chain: The chain proper, whatever some providers are on.
        confirmations: What makes a transaction's state final.

    Attributes:
        told: Each end that was told, with the time at which it was stored.
        events: All that was told of each transaction.
        left: The blocks out of which each transaction was said to be reorganised.
        lost: Those that were called dropped although the chain proper had them all the while.
    """

    def __init__(self, chain: Chain, confirmations: int) -> None:
        self.told: dict[str, list[tuple[State, float]]] = defaultdict(list)
        self.events: dict[str, list[Tracked]] = defaultdict(list)
        self.left: dict[str, set[str]] = defaultdict(set)
        self.lost: set[str] = set()
        self._known_since: dict[str, float] = {}
        self._anchors: dict[str, str] = {}
        self._chain = chain
        self._confirmations = confirmations
        self._judged: set[str] = set()
        self._ends: dict[str, tuple[State, float]] = {}
        self._winners: dict[tuple[str, int], tuple[Transaction, float]] = {}
        self._seen: set[tuple[str, int]] = set()
        chain.watch(self._mined)

    def winner(self, tx: Transaction) -> Transaction | None:
        """Return the transaction that has the slot of ``tx`` for good, if there is one."""
        found = self._winners.get(tx.slot) if tx.ordered else None
        return found[0] if found else None

    def look(self, transactions: Iterable[Transaction]) -> None:
        """Note which of these wait or are mined on the chain proper; look after each change."""
        for tx in transactions:
            if self._chain.pending(tx.hash) or self._chain.mined(tx.hash):
                self._known_since.setdefault(tx.hash, time.time())
            else:
                self._known_since.pop(tx.hash, None)

    def hear(self, event: StoredEvent) -> None:
        """Note what was told; it can be told twice."""
        after = event.tracked
        if (after.id, after.version) in self._seen:
            return
        self._seen.add((after.id, after.version))
        self.told[after.id].append((after.state, event.recorded_at))
        self.events[after.id].append(after)
        known_since = self._known_since.get(after.id, event.recorded_at)
        if after.state == "dropped" and event.recorded_at - known_since > DROP_SECONDS:
            self.lost.add(after.id)
        if event.previous in ANCHORED and after.state == "pending" and after.id in self._anchors:
            self.left[after.id].add(self._anchors.pop(after.id))
        if after.anchor is not None:
            self._anchors[after.id] = after.anchor.hash

    def wrongly_left(self, tx: Transaction) -> list[str]:
        """List the blocks that a transaction was said to have left while they are canonical."""
        return [
            block_hash
            for block_hash in sorted(self.left[tx.hash])
            if (block := self._chain.block_by_hash(block_hash)) is not None
            and self._chain.is_canonical(block)
        ]

    def false_ends(self, tx: Transaction) -> list[str]:
        """List the ends of a transaction that were not true when they were told."""
        return [
            f"{state} at {at:.3f}, but {self._since(state, tx)}"
            for state, at in self.told[tx.hash]
            if self._is_false(state, at, tx)
        ]

    def _is_false(self, state: State, at: float, tx: Transaction) -> bool:
        if state == "invalid":
            return True  # nothing that was ever sent here is
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

    def _mined(self, head: Block) -> None:
        # By the blocks and not by their numbers: after a reorganisation, a number that was
        # without a block when it became final can have one.
        for number in range(head.number - self._confirmations + 1, 0, -1):
            block = self._chain.block(number)
            if block is None:
                continue
            if block.hash in self._judged:
                break
            self._judged.add(block.hash)
            for tx in block.transactions:
                reverted = block.revert_reason(tx.hash) is not None
                now = time.time()
                self._ends[tx.hash] = ("failed" if reverted else "confirmed", now)
                self._winners[tx.slot] = (tx, now)
