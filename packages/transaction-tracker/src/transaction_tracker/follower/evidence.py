"""What a source's answers say about the open transactions, converted to observations."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence

from beamish import telemetry
from transaction_tracker.domain import (
    TAGS,
    Agenda,
    BlockRef,
    Buried,
    Chain,
    Included,
    Link,
    Observation,
    Outcome,
    Overtaken,
    RecentSlots,
    Seen,
    Sighting,
    Tag,
    Transaction,
)
from transaction_tracker.follower.endings import Endings, Facts
from transaction_tracker.follower.old_blocks import RepeatedBlocks
from transaction_tracker.follower.unreadable import (
    MIN_REFUSED_SECONDS,
    UnreadableTransactions,
)
from transaction_tracker.sources import (
    Answer,
    ChainSource,
    Contained,
    FetchedBlock,
    Head,
    MalformedError,
    SourceError,
    Unanswered,
    Unreadable,
)
from transaction_tracker.store import Book
from transaction_tracker.tracker import TransactionTracker

__all__ = ["Evidence", "Facts"]

Outcomes = Mapping[str, Outcome | Unreadable | None]

logger = logging.getLogger("transaction_tracker")


class Evidence:
    """Gathers facts: those of a block, and those about single transactions.

    Args:
        source: Where they come from.
        book: The open transactions.
        agenda: Those that wait for depth.
        recent: The slots that the last blocks took.
        endings: Judges facts that would make an end.
        repeated: Judges old blocks that one provider alone says to be on our chain.

    Attributes:
        doubts: The transactions whose last answers are no facts because of their blocks, and why.
        being_proven: Those whose blocks need only time to be proven.
    """

    def __init__(
        self,
        source: ChainSource,
        book: Book,
        agenda: Agenda,
        recent: RecentSlots,
        endings: Endings,
        repeated: RepeatedBlocks,
    ) -> None:
        self._source = source
        self._book = book
        self._agenda = agenda
        self._recent = recent
        self._endings = endings
        self._repeated = repeated
        self._unreadable = UnreadableTransactions()
        self._unanswered = UnreadableTransactions(MIN_REFUSED_SECONDS)
        self._marks: dict[Tag, BlockRef] = {}
        self._early: dict[str, Outcomes] = {}
        self._opinion: object = None
        self.doubts: dict[str, str] = {}
        self.being_proven: set[str] = set()

    async def resume(self) -> None:
        """Go on with what was stored before a restart."""
        await self._endings.resume()

    def note_marks(self, head: Head, chain: Chain) -> None:
        """Note the chain's own marks, as far as they are on our chain.

        A node on another branch has marks too. One is believed if its block is kept, or if it is
        below the kept blocks and the node's chain contains our tip.
        """
        tip, bottom = chain.tip, chain.bottom
        if tip is None or bottom is None:
            return
        is_ours = head.link.ref == tip.ref
        for tag, mark in head.marks.items():
            if chain.holds(mark) or (is_ours and mark.number < bottom.number):
                self._marks[tag] = mark

    def marks(self, chain: Chain) -> dict[Tag, int]:
        """Return the heights up to which the chain gives its own word."""
        bottom = chain.bottom
        return {
            tag: mark.number
            for tag, mark in self._marks.items()
            if chain.holds(mark) or (bottom is not None and mark.number < bottom.number)
        }

    def forget_chain(self) -> None:
        """Forget what was said of blocks: our chain has become another one."""
        self._marks.clear()
        self._repeated.clear()

    def forget_marks(self, lowest: int) -> None:
        """Forget the chain's own marks in blocks that were taken back.

        Their heights would count again once these are no longer kept, on another branch.

        Args:
            lowest: Height of the lowest block that was taken back.
        """
        self._marks = {tag: mark for tag, mark in self._marks.items() if mark.number < lowest}

    def forget(self, transaction: str) -> None:
        """Forget what was kept of a transaction: it has ended, or is untracked."""
        self._has_answer(transaction)
        self._endings.forget(transaction)

    async def prefetch(self, blocks: Sequence[FetchedBlock], chain: Chain) -> None:
        """Fetch in few requests what applying blocks, one after the other, needs.

        Args:
            blocks: The blocks, the lowest first.
            chain: The chain that they extend.
        """
        self._early, self._opinion = {}, None
        wanted = [(block, self._own_ids(block)) for block in blocks]
        wanted = [(block, ids) for block, ids in wanted if ids]
        try:
            if len(wanted) > 1:
                self._early = dict(await self._source.outcomes_early(wanted))
            elif blocks:
                block, ids = wanted[0] if wanted else (blocks[-1], set[str]())
                await self._foresee_ends(block, ids, blocks, chain)
        except SourceError as error:
            logger.debug("what %d blocks need: %s", len(blocks), error)

    async def _foresee_ends(
        self, block: FetchedBlock, ids: set[str], blocks: Sequence[FetchedBlock], chain: Chain
    ) -> None:
        """Ask for outcomes together with the followed provider's opinion on ends, if there are any.

        Args:
            block: The block that has the transactions.
            ids: Those whose outcomes are needed.
            blocks: All that are applied now.
            chain: The chain that they extend.
        """
        extended = chain.extended([one.link for one in blocks])
        facts = self._depth(extended)
        first = self._buried(block.link.ref, extended)
        if len(blocks) == 1:
            rivals = self._rivals(block).items()
            facts |= {key: (*observations, first) for key, observations in rivals}
        endings = self._endings.expected(facts, extended)
        own = (self._book.get(key) for key in ids)
        if endings or any(one is not None and first.reaches(one.required) for one in own):
            prefetched = await self._source.prefetch(block, ids, endings)
            self._early = {block.link.hash: prefetched.outcomes}
            self._opinion = prefetched.opinion

    async def of_block(self, block: FetchedBlock, chain: Chain, *, is_last: bool = True) -> Facts:
        """Gather what a block says, with ``chain`` ending in it.

        Args:
            block: The block.
            chain: Our chain.
            is_last: Whether no other block follows at once. Ends are told with the last one, so
                that the providers are asked once about all of them.
        """
        facts = self._rivals(block) | await self._own(block)
        if not is_last:
            return facts
        first = self._buried(block.link.ref, chain)
        facts = {key: (*observations, first) for key, observations in facts.items()}
        facts = self._depth(chain) | facts
        return await self._endings.cleared(facts, chain, _now(), self._opinion)

    async def of_depth(self, chain: Chain) -> Facts:
        """Gather what the depth of ``chain``, and its own word, say of blocks."""
        facts = self._depth(chain) if self._endings.is_due(chain, _now()) else {}
        return await self._endings.cleared(facts, chain, _now())

    async def of_transactions(
        self,
        slots: Mapping[str, str | None],
        chain: Chain,
        *,
        at_once: bool,
        doubted: Collection[str] = (),
    ) -> Facts:
        """Ask about single transactions; one about which nothing is certain is left out.

        Args:
            slots: The transactions, with their slots where these are known.
            chain: Our chain.
            at_once: In one request to each provider.
            doubted: Those that another provider is asked about if the followed one has them in no
                block.
        """
        enough = self.height_to_ask(chain)
        answers = await self._source.look_up(slots, enough, at_once=at_once, doubted=doubted)
        ours = self.in_recent_blocks(slots.keys())
        self.doubts, self.being_proven = {}, set()
        old = await self._old_blocks(answers, chain)
        facts: Facts = {}
        for key, answer in answers.items():
            if isinstance(answer, Unreadable | Unanswered):
                await self._has_no_answer(key, answer)
                continue
            self._has_answer(key)
            if key in ours and not isinstance(answer, Seen | Included):
                continue  # the node is below our own block that has it
            try:
                found = await self._of_answer(key, answer, slots[key], chain, old)
            except SourceError as error:
                # What one answer needs besides must not cost the other transactions theirs.
                logger.debug("what the answer about %s needs: %s", key, error)
                continue
            if found:
                facts[key] = found
        return await self._endings.cleared(facts, chain, _now())

    async def _of_answer(
        self,
        key: str,
        answer: Observation,
        slot: str | None,
        chain: Chain,
        old: Collection[BlockRef],
    ) -> tuple[Observation, ...]:
        """Return the facts in an answer about one transaction; none where it is not certain."""
        match answer:
            case Seen():
                return (answer, *await self._behind(key, answer.transaction.slot, chain))
            case Included():
                if chain.holds(answer.block) or answer.block in old:
                    if self._is_left_out(key, answer):
                        await self._source.compare_listings(answer.block, key)
                    return (answer, self._buried(answer.block, chain))
                is_above = chain.tip is None or answer.block.number > chain.tip.number
                # The source is a block further than we are: that block will tell.
                return (Seen(answer.transaction, time.time()),) if is_above else ()
        # No node knows it any more, perhaps because a block took its slot before it was tracked
        # here.
        return await self._behind(key, slot, chain) or (answer,)

    def _is_left_out(self, key: str, answer: Included) -> bool:
        """Return whether our block was sent without a transaction that another provider has in it.

        A transaction without a slot is not among those that are kept of a block.
        """
        tracked, lowest = self._book.get(key), self._recent.lowest
        if tracked is None or not tracked.unplaced or answer.transaction.slot is None:
            return False
        is_recent = lowest is not None and answer.block.number >= lowest
        return is_recent and not self.in_recent_blocks([key])

    async def of_winner(self, key: str, slot: str, chain: Chain) -> tuple[Observation, ...] | None:
        """Search for the block that took a transaction's slot long ago.

        Returns:
            The facts; none if no block is found. ``None`` while the block that a provider named is
            not proven to be on our chain.
        """
        if chain.tip is None or chain.bottom is None:
            return None
        block = await self._source.winner(slot, chain.tip.number)
        if block is None:
            return ()
        ref = block.link.ref
        if not chain.holds(ref) and ref not in await self._on_our_chain(
            {ref}, chain.tip, chain.bottom
        ):
            return None
        return await self._of_taker(key, block.slots[slot], block, chain)

    def height_to_ask(self, chain: Chain) -> int:
        """Return the height that a provider must have reached to say that no block has something.

        Our own blocks above that height are known in full: a provider that lags by a few blocks
        must not keep transactions from their end.
        """
        tip, bottom, lowest = chain.tip, chain.bottom, self._recent.lowest
        if tip is None or bottom is None or lowest is None:
            return -1 if tip is None else tip.number
        return max(bottom.number, lowest)

    def in_recent_blocks(self, ids: Collection[str]) -> set[str]:
        """Return the transactions that our own last blocks have, whatever providers say."""
        return self._recent.among(ids)

    # -- Blocks

    def _depth(self, chain: Chain) -> Facts:
        tip = chain.tip
        due = {} if tip is None else self._agenda.due_by(tip.number, self.marks(chain))
        return {key: (self._buried(anchor, chain),) for key, anchor in due.items()}

    def _buried(self, block: BlockRef, chain: Chain) -> Buried:
        marks = self.marks(chain)
        tags = [tag for tag in TAGS if marks.get(tag, -1) >= block.number]
        return Buried(block, chain.confirmations(block), frozenset(tags))

    def _rivals(self, block: FetchedBlock) -> Facts:
        facts: Facts = {}
        for loser, winner in self._book.rivals(block.slots).items():
            tracked = self._book.get(loser)
            # Only a reorganisation takes a transaction out of its block. And a slot that an
            # earlier block took already is not a slot on this chain.
            if tracked is None or tracked.slot is None or tracked.waits_for_depth:
                continue
            if not self._recent.is_free(tracked.slot):
                continue
            transaction = self._describe(block, winner)
            if transaction is not None:
                facts[loser] = (Overtaken(transaction, block.link.ref),)
        return facts

    def _own_ids(self, block: FetchedBlock) -> set[str]:
        """Return the open transactions of a block that are in no other block."""
        found = self._book.own(block.ids)
        return {key for key in found if not self._is_mined_elsewhere(key, block.link.ref)}

    def _is_mined_elsewhere(self, key: str, block: BlockRef) -> bool:
        tracked = self._book.get(key)
        if tracked is None or tracked.state not in ("mined", "mined_reverted"):
            return False
        return tracked.anchor != block

    async def _own(self, block: FetchedBlock) -> Facts:
        own = self._own_ids(block)
        early = self._early.pop(block.link.hash, {})
        missing = own - early.keys()
        outcomes = dict(early)
        if missing:
            outcomes |= await self._source.outcomes(block, missing)
        facts: Facts = {}
        for key in own & outcomes.keys():
            included = await self._included(key, block, outcomes[key])
            if included is not None:
                facts[key] = (included,)
        return facts

    async def _included(
        self, key: str, block: FetchedBlock, outcome: Outcome | Unreadable | None
    ) -> Included | None:
        transaction = self._describe(block, key)
        if isinstance(outcome, Unreadable):
            await self._has_no_answer(key, outcome)
        elif transaction is not None:
            self._has_answer(key)
            return Included(transaction, block.link.ref, outcome)
        return None

    def _describe(self, block: FetchedBlock, key: str) -> Transaction | None:
        try:
            return self._source.transaction(block, key)
        except MalformedError as error:
            # One bad transaction must not keep all others from their block.
            logger.warning(
                "could not read transaction %s of block %s: %s", key, block.link.hash, error
            )
            return None

    # -- Slots that were taken before

    async def _behind(self, key: str, slot: str | None, chain: Chain) -> tuple[Observation, ...]:
        """Look whether a block that is applied already took the slot that has become known."""
        taken = None if slot is None else self._recent.taken(slot)
        if taken is None:
            return ()
        link, taker = taken
        return await self._of_taker(key, taker, await self._source.block(link.ref), chain)

    async def _of_taker(
        self, key: str, taker: str, block: FetchedBlock, chain: Chain
    ) -> tuple[Observation, ...]:
        found = self._describe(block, taker)
        if found is None:
            return ()
        buried = self._buried(block.link.ref, chain)
        if taker != key:
            return Overtaken(found, block.link.ref), buried
        outcomes = await self._source.outcomes(block, [key])
        if key not in outcomes:
            return ()
        included = await self._included(key, block, outcomes[key])
        return () if included is None else (included, buried)

    async def _old_blocks(
        self, answers: Mapping[str, Answer], chain: Chain
    ) -> Collection[BlockRef]:
        """Return the blocks below the kept ones that are proven to be on our chain."""
        if chain.tip is None or chain.bottom is None:
            return set()
        old = {
            key: answer.block
            for key, answer in answers.items()
            if isinstance(answer, Included) and answer.block.number < chain.bottom.number
        }
        if not old:
            return set()
        found = await self._source.contained(set(old.values()), chain.tip.ref, chain.bottom)
        believed = self._believed(found, chain.tip)
        self.being_proven = {key for key in old if old[key] in found.unconfirmed | found.linking}
        self.doubts = {
            key: f"a provider has it in block {block.number} ({block.hash}), far below our last "
            "blocks, and neither the links nor other providers prove that block to be on our chain"
            for key, block in old.items()
            if block not in believed
        }
        return believed

    async def _on_our_chain(
        self, blocks: set[BlockRef], tip: Link, bottom: Link
    ) -> Collection[BlockRef]:
        """Return those blocks below the kept ones that are proven to be on our chain."""
        return self._believed(await self._source.contained(blocks, tip.ref, bottom), tip)

    def _believed(self, found: Contained, tip: Link) -> Collection[BlockRef]:
        return self._repeated.believed(found, Sighting(tip.number, time.time()))

    # -- What cannot be read

    def _has_answer(self, key: str) -> None:
        """Forget unusable answers about a transaction.

        Objections to its end stay: an answer of one provider withdraws none of another one.
        """
        self._unreadable.forget(key)
        self._unanswered.forget(key)

    async def _has_no_answer(self, key: str, answer: Unreadable | Unanswered) -> None:
        """Count an answer that says nothing of its transaction, and park it once that lasts."""
        counted = self._unanswered
        if isinstance(answer, Unreadable):
            _count("answer", 1)
            counted = self._unreadable
        tracked = self._book.get(key)
        if tracked is None or tracked.error is not None:
            return
        if counted.note(key, _now()):
            logger.error("%s is parked: %s", key, answer.why)
            await TransactionTracker.park(key, answer.why)

    def count_unreadable(self, block: FetchedBlock) -> None:
        """Report how much of an applied block could not be read."""
        if block.unreadable:
            _count("transaction", block.unreadable)
        if block.hashes_only:
            _count("block", 1)


def _count(kind: str, count: int) -> None:
    telemetry.execute(("transaction_tracker", "unreadable"), {"count": count}, {"kind": kind})


def _now() -> float:
    return asyncio.get_running_loop().time()
