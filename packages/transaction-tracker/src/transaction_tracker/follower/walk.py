"""Walking along the chain: up with the head, and back where the chain changes its mind."""

import logging
import time

from beamish import telemetry
from transaction_tracker.domain import BlockRef, Chain, Event, Link, Orphaned, Recent
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.sources import Block, ChainSource, MalformedError, NotYetError
from transaction_tracker.store import Book, Step, Store

# Blocks fetched in one go; after so many, whoever else waits comes first.
_STRIDE = 64
# A head below ours may come from a node that lags behind the last one that answered:
# only one that stays is a chain that has really become shorter.
_PATIENT_POLLS = 3

logger = logging.getLogger("transaction_tracker")


class Walk:
    """Our place on the chain, and the way from there to the head.

    Each block is one step of the store, taken back or applied.

    Args:
        source: Where the blocks come from.
        book: The open transactions.
        records: Makes transitions of facts.
        status: Where to record our progress.
        keep: Blocks to keep for reorganisations.

    Attributes:
        chain: The blocks that are kept.
        evidence: Makes facts of what the source says.
    """

    def __init__(
        self,
        source: ChainSource,
        book: Book,
        records: Records,
        status: FollowerStatus,
        keep: int,
    ) -> None:
        self._source = source
        self._book = book
        self._records = records
        self._status = status
        self._recent = Recent()
        self._low_heads = 0
        self._counted = 0
        self.chain = Chain(keep)
        self.evidence = Evidence(source, book, records.agenda, self._recent)

    async def resume(self) -> None:
        """Go on from the blocks that are stored."""
        links = await Store.claim(self._source.name)
        self.chain = Chain.of(self.chain.keep, links)
        for link, slots in await Store.recent_slots(self._source.name):
            self._recent.push(link, slots)

    async def advance(self) -> bool:
        """Follow the head as far as one stride goes, and say whether there is more."""
        head = await self._source.head(marks=self._records.agenda.waits_for_tags)
        seen_at = time.monotonic()
        self._status.heard(head.link.number)
        if head.link == self.chain.tip:
            self._status.up_to_date()
        self.evidence.marks = head.marks
        if self._stays(head.link) or await self._only_lags(head.link):
            await self._bury()
            return False
        target = await self._target(head.link)
        root, path = await self._path(target)
        if self.chain.tip is not None and not self.chain.holds(root):
            await self._start_over(root)
        await self._go_back(self.chain.fork(root, [block.link for block in path]).undo)
        for block in path:
            await self._apply(block, seen_at)
        return target != head.link.ref

    def _stays(self, head: Link) -> bool:
        """Say whether this head is no reason to move."""
        tip = self.chain.tip
        lower = tip is not None and head.number < tip.number
        self._low_heads = self._low_heads + 1 if lower else 0
        return head == tip or 0 < self._low_heads < _PATIENT_POLLS

    async def _only_lags(self, head: Link) -> bool:
        """Say whether a low head is all that speaks against a block in which something ended.

        A node that lags shows our own chain without its last blocks. What is not final goes
        back with it, as the chain may have become shorter; what is final only goes once
        there is another block in its place, or a node far behind would stop all deliveries.
        """
        final = await self._lowest_final_above(head) if self._low_heads else None
        if final is None:
            return False
        if self._low_heads == _PATIENT_POLLS:
            logger.warning(
                "the source's head is block %s, and something is final in block %s above it; "
                "nothing is taken back until the source has another block there",
                head.number,
                final,
            )
        return True

    async def _lowest_final_above(self, head: Link) -> int | None:
        """Find the first block above a head that we would not go back behind for its sake."""
        bottom = self.chain.bottom
        if bottom is not None and head.number < bottom.number:
            return bottom.number  # all below what is kept was final long ago
        if not self.chain.holds(head.ref):
            return None
        for link in self.chain.links:
            if link.number > head.number and await Store.anchored(link.hash):
                return link.number
        return None

    async def _bury(self) -> None:
        """Let those end that wait for the chain's word, which comes without a block too."""
        if self.evidence.marks:
            facts = self.evidence.of_depth(self.chain)
            await self._records.commit(Step(self._source.name, await self._records.decide(facts)))

    async def _target(self, head: Link) -> BlockRef:
        """Give the block to go to now: the head, or one on the way when that is far."""
        tip = self.chain.tip
        if tip is None or head.number - tip.number <= _STRIDE:
            return head.ref
        number = tip.number + _STRIDE
        links = await self._source.links([number])
        if number not in links:
            raise NotYetError(f"block {number} is missing below the head {head.number}")
        return links[number].ref

    async def _path(self, target: BlockRef) -> tuple[BlockRef, list[Block]]:
        """Fetch blocks from ``target`` down to one that is kept; give that and them, upwards."""
        path: list[Block] = []
        ref = target
        while not self.chain.holds(ref):
            block = await self._source.block(ref.hash)
            if block.link.number != ref.number:
                raise MalformedError(f"block {ref.hash} has number {block.link.number}")
            path.append(block)
            ref = block.link.parent_ref
            if self.chain.is_below(block.link):
                break
        return ref, path[::-1]

    async def _start_over(self, root: BlockRef) -> None:
        """Forget all blocks: the chain parts from ours below the lowest that is kept."""
        # Before anything is taken back: it could be another chain altogether.
        await self._source.check(again=True)
        logger.error(
            "the chain parts from ours below block %s, deeper than any that is kept; "
            "every transaction that is not final is looked up again",
            root.number,
        )
        facts: Facts = {}
        events: list[Event] = []
        for block in {*self._records.agenda.blocks(), *(link.ref for link in self.chain.links)}:
            lost = self._lost(block)
            events += await self._violated(block)
            facts |= lost
        events += await self._records.decide(facts)
        await self._records.commit(
            Step(self._source.name, tuple(events), forgets=True, freezes=True)
        )
        self._reorganised(len(self.chain.links))
        self.chain = Chain(self.chain.keep)
        self._recent.clear()
        for key in facts:
            self._records.sweep.add_fresh(key)

    async def _go_back(self, links: tuple[Link, ...]) -> None:
        for link in links:
            await self._undo(link)
        if links:
            self._reorganised(len(links))

    async def _undo(self, link: Link) -> None:
        violated = await self._violated(link.ref)
        events = await self._records.decide(self._lost(link.ref))
        freezes = bool(violated) or link.number <= self.evidence.marks.get("finalized", -1)
        step = Step(self._source.name, (*events, *violated), undone=link, freezes=freezes)
        await self._records.commit(step)
        self.chain = self.chain.pop()
        self._recent.drop(link)

    def _lost(self, block: BlockRef) -> Facts:
        """Say that a block is gone to those that it had decided."""
        fact = Orphaned(block, time.time())
        return dict.fromkeys(self._records.agenda.decided_in(block), (fact,))

    async def _violated(self, block: BlockRef) -> tuple[Event, ...]:
        """Take back what had ended in a block that was thought to stay for ever."""
        ended = await Store.anchored(block.hash)
        events = self._records.decide_ended(ended, (Orphaned(block, time.time()),))
        for event in events:
            logger.error(
                "finality violation: %s had %s in block %s (%s), which is not canonical any more; "
                "deliveries stop until somebody says that they go on",
                event.tracked.id,
                event.previous,
                block.number,
                block.hash,
            )
        return events

    async def _apply(self, block: Block, seen_at: float) -> None:
        started = time.monotonic()
        chain = self.chain.push(block.link)
        hits = await self._store(block, chain)
        self.chain = chain
        self._status.applied(block.link.ref)
        self._recent.push(block.link, block.slots)
        self._measure(block, hits, seen_at, started)

    async def _store(self, block: Block, chain: Chain) -> set[str]:
        hits = self._book.own(block.ids)
        facts = await self.evidence.of_block(block, chain)
        events = await self._records.decide(facts)
        step = Step(
            self._source.name,
            events,
            applied=block.link,
            slots=block.slots,
            keep=chain.keep,
        )
        await self._records.commit(step)
        # The source lists them in the block and does not say yet what came of them.
        for key in hits - facts.keys():
            self._records.sweep.add_fresh(key)
        return hits

    def _measure(self, block: Block, hits: set[str], seen_at: float, started: float) -> None:
        now = time.monotonic()
        # All since the block before: questions for the head and about single transactions too.
        requests, self._counted = self._source.requests - self._counted, self._source.requests
        telemetry.execute(
            ("transaction_tracker", "block", "applied"),
            {
                "seconds": now - started,
                "transactions": len(block.ids),
                "hits": len(hits),
                "requests": requests,
            },
            {"number": block.link.number},
        )
        for _ in hits:
            telemetry.execute(
                ("transaction_tracker", "transaction", "detected"), {"seconds": now - seen_at}, {}
            )

    def _reorganised(self, depth: int) -> None:
        telemetry.execute(("transaction_tracker", "reorg"), {"depth": depth}, {})
