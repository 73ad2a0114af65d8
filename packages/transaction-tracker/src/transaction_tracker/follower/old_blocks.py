"""Blocks far below the kept ones that only one provider reports to be on our chain."""

from dataclasses import dataclass

from transaction_tracker.domain import BlockRef, Policy, Sighting
from transaction_tracker.sources import Contained

# Minimum number of equal answers.
MIN_ANSWERS = 3
MAX_BLOCKS = 10_000


@dataclass(slots=True)
class _RepeatedAnswer:
    since: Sighting
    answers: int = 0


class RepeatedBlocks:
    """Decides when to believe a single provider that a block is on our chain.

    One answer can come from a node on another branch behind the provider's address. So the answer
    must be repeated for as many blocks and seconds as a transaction must be missing before it is
    dropped.

    Kept in memory only: a restart starts the counts again.

    Args:
        policy: The numbers of blocks and seconds.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._answers: dict[BlockRef, _RepeatedAnswer] = {}

    def believed(self, found: Contained, now: Sighting) -> frozenset[BlockRef]:
        """Return the blocks that are believed to be on our chain.

        Args:
            found: The providers' current answers.
            now: Height of our last block, and Unix seconds.
        """
        for block in found.denied:
            self._answers.pop(block, None)
        lasting = {block for block in found.unconfirmed if self._has_lasted(block, now)}
        return found.proven | lasting

    def clear(self) -> None:
        """Forget all answers, because our chain was replaced."""
        self._answers.clear()

    def _has_lasted(self, block: BlockRef, now: Sighting) -> bool:
        repeated = self._answers.setdefault(block, _RepeatedAnswer(now))
        repeated.answers += 1
        while len(self._answers) > MAX_BLOCKS:
            del self._answers[next(iter(self._answers))]
        return (
            repeated.answers >= MIN_ANSWERS
            and now.height - repeated.since.height >= self._policy.drop_blocks
            and now.time - repeated.since.time >= self._policy.drop_seconds
        )
