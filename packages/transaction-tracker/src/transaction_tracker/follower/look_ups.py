"""Facts about single transactions, from the answers of a source and from our own last blocks."""

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from transaction_tracker.domain import (
    BlockRef,
    Included,
    KeptChain,
    Observation,
    Overtaken,
    RecentSlots,
    Seen,
)
from transaction_tracker.follower.endings import Facts
from transaction_tracker.follower.evidence import Evidence
from transaction_tracker.follower.old_blocks import OldBlockCheck
from transaction_tracker.follower.unreadable import UnusableAnswers
from transaction_tracker.sources import (
    ChainSource,
    FetchedBlock,
    SourceError,
    Unanswered,
    Unreadable,
    Unused,
)
from transaction_tracker.store import OpenTransactions

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class LookUpFacts:
    """What the answers about single transactions show.

    Attributes:
        facts: The facts, by transaction.
        doubts: By transaction, why the answer is not a fact, if the reason is its block.
        being_proven: The transactions whose blocks need only more answers to be proven.
    """

    facts: Facts
    doubts: Mapping[str, str]
    being_proven: Collection[str]


class LookUps:
    """Looks up single transactions, and converts the answers to facts.

    Args:
        source: The source.
        open_transactions: The transactions that are not final, in memory.
        evidence: Converts the blocks that answers name to facts.
        recent: The slots that the last blocks took.
        old_blocks: Decides which blocks below the kept ones are on our chain.
        unusable: Parks transactions about which no provider returns a usable answer.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        evidence: Evidence,
        recent: RecentSlots,
        old_blocks: OldBlockCheck,
        unusable: UnusableAnswers,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._evidence = evidence
        self._recent = recent
        self._old_blocks = old_blocks
        self._unusable = unusable

    def forget_chain(self) -> None:
        """Forget the answers about old blocks, because our chain was replaced."""
        self._old_blocks.clear()

    async def of_transactions(
        self,
        slots: Mapping[str, tuple[str, ...]],
        chain: KeptChain,
        *,
        at_once: bool,
        doubted: Collection[str] = (),
    ) -> LookUpFacts:
        """Ask about single transactions.

        Args:
            slots: The transactions, with their slots, which are empty while they are unknown.
            chain: Our chain.
            at_once: Whether to send all calls in one request to each provider.
            doubted: Transactions for which another provider is asked too if the followed provider
                reports them in no block.

        Returns:
            The facts, without the transactions about which nothing is certain.
        """
        enough = self.height_to_ask(chain)
        answers = await self._source.look_up(slots, enough, at_once=at_once, doubted=doubted)
        ours = self.in_recent_blocks(slots.keys())
        old = await self._old_blocks.prove(answers, chain)
        facts: Facts = {}
        for key, answer in answers.items():
            if isinstance(answer, Unreadable | Unanswered):
                await self._unusable.note(key, answer)
                continue
            is_slot = slots[key] == (key,)
            # Objections to its end stay: an answer of one provider does not withdraw the objection
            # of another.
            self._unusable.forget(key)
            if key in ours and not is_slot and not isinstance(answer, Seen | Included):
                continue  # our own block contains it, and the node has not reached that block
            try:
                found = await self._of_answer(key, answer, slots[key], chain, old.proven)
            except SourceError as error:
                # An error in a request for one transaction must not discard the other answers.
                logger.debug("could not complete the answer about %s: %s", key, error)
                continue
            if found or isinstance(answer, Unused):
                facts[key] = found
        facts |= await self._shown_by_blocks(ours - answers.keys(), chain)
        facts = await self._evidence.cleared(facts, chain)
        return LookUpFacts(facts, old.doubts, old.being_proven)

    async def _shown_by_blocks(self, keys: Collection[str], chain: KeptChain) -> Facts:
        """Return the facts about transactions that only our own last blocks show.

        Nodes without an index of transactions say nothing about one that a block has.
        """
        facts: Facts = {}
        for key in keys:
            tracked, link = self._open_transactions.get(key), self._recent.holder(key)
            if tracked is None or not tracked.unplaced or link is None:
                continue
            try:
                block = await self._source.block(link.ref)
                found = await self._of_taker(key, key, block, chain)
            except SourceError as error:
                logger.debug("could not read the block of %s: %s", key, error)
                continue
            if found:
                facts[key] = found
        return facts

    async def _of_answer(
        self,
        key: str,
        answer: Observation | Unused,
        slots: tuple[str, ...],
        chain: KeptChain,
        old: Collection[BlockRef],
    ) -> tuple[Observation, ...]:
        """Return the facts in an answer about one transaction; none if it is not certain."""
        match answer:
            case Seen():
                return (answer, *await self._taken_before(key, answer.transaction.slots, chain))
            case Included():
                if chain.holds(answer.block) or answer.block in old:
                    if self._is_left_out(key, answer):
                        await self._source.compare_listings(answer.block, key)
                    return (answer, self._evidence.buried(answer.block, chain))
                is_above = chain.tip is None or answer.block.number > chain.tip.number
                # The source is ahead of us. The inclusion is a fact once we apply that block.
                return (Seen(answer.transaction, time.time()),) if is_above else ()
        # The source no longer knows the transaction. A block can have taken one of its slots
        # before it was tracked.
        taken = await self._taken_before(key, slots, chain)
        return taken or (() if isinstance(answer, Unused) else (answer,))

    def _is_left_out(self, key: str, answer: Included) -> bool:
        """Return whether our copy of a block lacks a transaction that a provider reports in it.

        Only for transactions with slots: of a block, only the slots are kept.
        """
        tracked, lowest = self._open_transactions.get(key), self._recent.lowest
        if tracked is None or not tracked.unplaced or not answer.transaction.slots:
            return False
        is_recent = lowest is not None and answer.block.number >= lowest
        return is_recent and not self.in_recent_blocks([key])

    async def of_winner(
        self, key: str, slots: tuple[str, ...], chain: KeptChain
    ) -> tuple[Observation, ...] | None:
        """Search for the block that took one of a transaction's slots long ago.

        Returns:
            The facts; none if no block is found. ``None`` if the block is not yet proven to be on
            our chain.
        """
        if chain.tip is None or chain.bottom is None:
            return None
        block = await self._source.winner(slots, chain.tip.number)
        if block is None:
            return ()
        if not await self._old_blocks.on_our_chain(block.link.ref, chain):
            return None
        taker = next(block.slots[slot] for slot in slots if slot in block.slots)
        return await self._of_taker(key, taker, block, chain)

    def height_to_ask(self, chain: KeptChain) -> int:
        """Return the height that a provider must have reached to report a transaction as absent.

        Above that height, our own blocks show which transactions they contain. So a provider that
        lags by a few blocks does not delay ends.
        """
        tip, bottom, lowest = chain.tip, chain.bottom, self._recent.lowest
        if tip is None or bottom is None or lowest is None:
            return -1 if tip is None else tip.number
        return max(bottom.number, lowest)

    def in_recent_blocks(self, ids: Collection[str]) -> set[str]:
        """Return which transactions our own last blocks contain."""
        return self._recent.among(ids)

    async def _taken_before(
        self, key: str, slots: tuple[str, ...], chain: KeptChain
    ) -> tuple[Observation, ...]:
        """Return the facts if one of the last blocks took one of some slots; none otherwise."""
        taken = self._recent.taken(slots)
        if taken is None:
            return ()
        link, taker = taken
        return await self._of_taker(key, taker, await self._source.block(link.ref), chain)

    async def _of_taker(
        self, key: str, taker: str, block: FetchedBlock, chain: KeptChain
    ) -> tuple[Observation, ...]:
        found = self._evidence.describe(block, taker)
        if found is None:
            return ()
        buried = self._evidence.buried(block.link.ref, chain)
        if key not in (taker, *found.slots):
            return Overtaken(found, block.link.ref), buried
        outcomes = await self._source.outcomes(block, [taker])
        if taker not in outcomes:
            return ()
        included = await self._evidence.included(key, found, block.link.ref, outcomes[taker])
        return () if included is None else (included, buried)
