"""Blocks far below the kept ones: which of them are proven to be on our chain."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from transaction_tracker.domain import BlockRef, Included, KeptChain, Link, Policy, Sighting
from transaction_tracker.sources import Answer, ChainSource, Contained

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


@dataclass(frozen=True, slots=True)
class OldBlockProofs:
    """What is known about the old blocks in answers about transactions.

    Attributes:
        proven: The blocks that are on our chain.
        doubts: By transaction, why its block is not proven.
        being_proven: The transactions whose blocks need only more answers to be proven.
    """

    proven: Collection[BlockRef] = frozenset()
    doubts: Mapping[str, str] = field(default_factory=dict)
    being_proven: frozenset[str] = frozenset()


class OldBlockCheck:
    """Asks a source whether blocks below the kept ones are on our chain.

    Args:
        source: The source.
        policy: For how long a single provider must repeat its answer.
    """

    def __init__(self, source: ChainSource, policy: Policy) -> None:
        self._source = source
        self._repeated = RepeatedBlocks(policy)

    async def prove(self, answers: Mapping[str, Answer], chain: KeptChain) -> OldBlockProofs:
        """Return what is known about the blocks in answers that are below the kept ones."""
        if chain.tip is None or chain.bottom is None:
            return OldBlockProofs()
        old = {
            key: answer.block
            for key, answer in answers.items()
            if isinstance(answer, Included) and answer.block.number < chain.bottom.number
        }
        if not old:
            return OldBlockProofs()
        found = await self._source.contained(set(old.values()), chain.tip.ref, chain.bottom)
        proven = self._believed(found, chain.tip)
        doubts = {
            key: f"a provider reports it in block {block.number} ({block.hash}), far below our "
            "last blocks, and neither the links nor other providers prove that block to be on our "
            "chain"
            for key, block in old.items()
            if block not in proven
        }
        waiting = found.unconfirmed | found.linking
        return OldBlockProofs(proven, doubts, frozenset(key for key in old if old[key] in waiting))

    async def on_our_chain(self, block: BlockRef, chain: KeptChain) -> bool:
        """Return whether a block is kept, or is below the kept ones and proven."""
        if chain.holds(block):
            return True
        if chain.tip is None or chain.bottom is None:
            return False
        found = await self._source.contained({block}, chain.tip.ref, chain.bottom)
        return block in self._believed(found, chain.tip)

    def clear(self) -> None:
        """Forget all answers, because our chain was replaced."""
        self._repeated.clear()

    def _believed(self, found: Contained, tip: Link) -> Collection[BlockRef]:
        return self._repeated.believed(found, Sighting(tip.number, time.time()))
