"""The walk along the chain: apply blocks up to the head, and undo blocks at reorganisations."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from beamish import telemetry
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import BlockRef, Event, KeptChain, Link, Orphaned, RecentSlots, Tag
from transaction_tracker.follower.branches import Branches
from transaction_tracker.follower.deposit_steps import PathDeposits, count_deposits
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.follower.endings import Endings
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.look_ups import LookUps
from transaction_tracker.follower.low_heads import GRACE_BLOCKS, LowHeads
from transaction_tracker.follower.old_blocks import OldBlockCheck
from transaction_tracker.follower.paths import Path, PathReader
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.undoing import UndoCheck
from transaction_tracker.follower.unreadable import UnusableAnswers, count_unreadable
from transaction_tracker.slices import Slices
from transaction_tracker.sources import ChainSource, FetchedBlock, SourceError
from transaction_tracker.store import FoundDeposits, OpenTransactions, Step, Store

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Walk:
    """Our position on the chain, and the steps from there to the head.

    Undoes blocks one by one, each in a step of the store, or all kept blocks in one step. Applies
    several blocks in one step only if all but the last change no open transaction.

    Args:
        source: The source of the blocks.
        open_transactions: The transactions that are not final, in memory.
        records: Decides and stores what follows from facts.
        status: Records the progress.
        keep: Number of blocks to keep for reorganisations.
        block_time: Returns the seconds between blocks, which can change.
        deposits: Finds payments to watched addresses.

    Attributes:
        chain: The kept blocks.
        evidence: Converts blocks to facts.
        look_ups: Converts answers about single transactions to facts.
        reported_tags: The tags whose blocks the followed provider returned with its last head.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        records: Records,
        status: FollowerStatus,
        keep: int,
        block_time: Callable[[], float],
        deposits: Deposits,
    ) -> None:
        self._source = source
        self._deposits = deposits
        self._open_transactions = open_transactions
        self._records = records
        self._status = status
        self._block_time = block_time
        self._recent = RecentSlots()
        self._branches = Branches()
        self._undo_check = UndoCheck(source, status, block_time)
        self._low_heads = LowHeads(source, status, block_time)
        self._paths = PathReader(source)
        self._counted = 0
        self.reported_tags: frozenset[Tag] = frozenset()
        self.chain: KeptChain = KeptChain(keep)
        endings = Endings(source, open_transactions, status)
        old_blocks, unusable = (
            OldBlockCheck(source, records.policy),
            UnusableAnswers(open_transactions),
        )
        self.evidence: Evidence = Evidence(
            source, open_transactions, records.agenda, self._recent, endings, unusable
        )
        self.look_ups: LookUps = LookUps(
            source, open_transactions, self.evidence, self._recent, old_blocks, unusable
        )
        records.on_end(self.evidence.forget)

    async def resume(self) -> None:
        """Load the stored blocks, their slots and the objections to ends."""
        links = await Store.claim(self._source.name, is_only=False)
        self._move_to(KeptChain.of(self.chain.keep, links))
        for link, slots in await Store.recent_slots(self._source.name):
            self._recent.push(link, slots)
        await self.evidence.resume()

    async def advance(self) -> bool:
        """Apply blocks up to the head, at most one batch; return whether there are more."""
        head = await self._source.head(marks=self._records.agenda.waits_for_tags)
        seen_at = time.monotonic()
        self._status.heard(head.link.number)
        self.reported_tags = frozenset(head.marks)
        if await self._is_ignored(head.link):
            self.evidence.marks.note(head, self.chain)
            await self._apply_depth()
            return False
        path = await self._paths.up_to(head.link, self.chain)
        if self._is_left([block.link for block in path.blocks]):
            return False
        await self._switch_to(path)
        found = await self._deposits.find(path.blocks)
        await self.evidence.prefetch(path.blocks, self.chain, found.by_block_paying)
        await self._apply_all(path.blocks, found, seen_at)
        self.evidence.marks.note(head, self.chain)
        if head.marks:
            await self._apply_depth()
        return self._has_more(head.link, path)

    def _has_more(self, head: Link, path: Path) -> bool:
        tip = self.chain.tip
        if tip is not None and tip.ref == head.ref:
            self._status.up_to_date()
            return False
        return bool(path.blocks) and tip is not None and tip.number < head.number

    # -- Whether to move

    async def _is_ignored(self, head: Link) -> bool:
        """Return whether no block must be applied or undone because of this head."""
        tip = self.chain.tip
        self._branches.showed(head, self.chain, loop_time())
        if self._is_left([head]):
            return True
        if tip is None or head.number > tip.number:
            self._low_heads.end()
            return False
        if head.number < tip.number:
            return await self._low_heads.is_ignored(head, self.chain)
        self._low_heads.end()
        if head.ref != tip.ref:
            return False
        self._undo_check.passed()
        self._status.up_to_date()
        return True

    def _is_left(self, links: Sequence[Link]) -> bool:
        """Return whether blocks on the way to a head are on a branch that was left."""
        patience = GRACE_BLOCKS * self._block_time()
        return self._branches.is_left(links, self.chain, loop_time(), patience)

    async def _apply_depth(self) -> None:
        """Decide ends that need no new block: by a tag of the chain, or held back before."""
        facts = await self.evidence.of_depth(self.chain)
        await self._records.commit(Step(self._source.name, await self._records.decide(facts)))

    async def _switch_to(self, path: Path) -> None:
        """Undo the kept blocks above the root of a path."""
        if self.chain.tip is not None and not self.chain.holds(path.root):
            await self._undo_all(path.root)
        undo = self.chain.fork(path.root, [block.link for block in path.blocks]).undo
        await self._check_undo(undo)
        self._undo_check.passed()
        for link in undo:
            await self._undo(link)
        if undo:
            self._reorganised(len(undo))

    async def _check_undo(self, links: tuple[Link, ...]) -> None:
        """Raise an error if a final block would be undone, and not enough providers agree."""
        finalized = self.evidence.marks.heights(self.chain).get("finalized", -1)
        for link in links:
            has_ended = bool(await Store.anchored(link.hash, self._source.name))
            if has_ended or link.number <= finalized:
                detail = "where a transaction has ended" if has_ended else "which is finalized"
                reason = (
                    f"the followed provider has another block at height {link.number}, {detail}"
                )
                await self._undo_check.require(link.ref, reason)

    async def _undo_all(self, root: BlockRef) -> None:
        """Undo all kept blocks, because the chain forks from ours below the lowest kept block."""
        # Checked before anything is undone: the provider can be on another network.
        await self._source.check(again=True)
        bottom = self.chain.bottom
        if bottom is not None:
            await self._undo_check.require(
                bottom.ref,
                f"the followed provider's chain forks from ours below block {bottom.number}, the "
                "lowest kept block",
            )
        logger.error(
            "the chain forks from ours below block %s, which is below all kept blocks; "
            "every transaction that is not final is looked up again",
            root.number,
        )
        facts: Facts = {}
        events: list[Event] = []
        for block in {*self._records.agenda.blocks(), *(link.ref for link in self.chain.links)}:
            orphaned = self._orphaned(block)
            events += await self._finality_violations(block)
            facts |= orphaned
        events += await self._records.decide(facts)
        await self._records.commit(
            Step(self._source.name, tuple(events), forgets=True, freezes=True)
        )
        self._reorganised(len(self.chain.links))
        self._move_to(KeptChain(self.chain.keep))
        self._recent.clear()
        self.evidence.forget_chain()
        self.look_ups.forget_chain()
        # Also transactions that were in no block: on the new chain, a block below our first one can
        # contain them.
        for tracked in self._open_transactions:
            if tracked.unplaced:
                self._records.sweep.add_fresh(tracked.id)

    async def _undo(self, link: Link) -> None:
        violated = await self._finality_violations(link.ref)
        events = await self._records.decide(self._orphaned(link.ref))
        freezes = bool(violated) or link.number <= self.evidence.marks.heights(self.chain).get(
            "finalized", -1
        )
        below = self.chain.pop()
        step = Step(
            self._source.name,
            (*events, *violated),
            undone=link,
            below=None if below.tip is None else below.tip.ref,
            freezes=freezes,
        )
        await self._records.commit(step)
        self._move_to(below)
        self._branches.left(link)
        self.evidence.marks.drop(link.number)
        self._recent.drop(link)

    def _orphaned(self, block: BlockRef) -> Facts:
        """Return the fact that a block was undone, for each transaction that it had decided."""
        fact = Orphaned(block, time.time())
        return dict.fromkeys(self._records.agenda.decided_in(block), (fact,))

    async def _finality_violations(self, block: BlockRef) -> tuple[Event, ...]:
        """Return the events that reopen transactions that had ended in an undone block."""
        ended = await Store.anchored(block.hash, self._source.name)
        fact = Orphaned(block, time.time())
        violated: list[Event] = []
        async for part in Slices(ended):
            events = self._records.decide_ended(part, (fact,))
            violated += events
            for event in events:
                logger.error(
                    "finality violation: %s was %s in block %s (%s), which is no longer canonical; "
                    "the deliveries of this source are frozen until an operator resumes them",
                    event.tracked.key,
                    event.previous,
                    block.number,
                    block.hash,
                )
        return tuple(violated)

    def _move_to(self, chain: KeptChain) -> None:
        self.chain = chain
        self._source.follows(chain)

    # -- Applying

    async def _apply_all(
        self, blocks: Sequence[FetchedBlock], found: PathDeposits, seen_at: float
    ) -> None:
        applied = 0
        while applied < len(blocks):
            quiet = self._leading_quiet(blocks[applied:], found)
            block = blocks[applied + len(quiet)]
            if await self._apply(quiet, block, found, seen_at, is_last=block is blocks[-1]):
                applied += len(quiet) + 1
            else:
                # Addresses were added meanwhile, to which these blocks can have deposits.
                found = await self._deposits.find(blocks[applied:])
            # It takes some ms to free the objects of a large block: its facts are freed by now, and
            # the block itself is freed after this loop. Other tasks can run in between.
            await asyncio.sleep(0)

    def _leading_quiet(
        self, blocks: Sequence[FetchedBlock], found: PathDeposits
    ) -> Sequence[FetchedBlock]:
        """Return the leading blocks, except the last block, that change and begin no transaction.

        They share the database transaction of the block after them: with one transaction each, the
        disk would limit the speed of catching up. After a crash they are fetched again.
        """
        for count, block in enumerate(blocks[:-1]):
            if (
                found.of(block).paid
                or self._open_transactions.own(block.ids, block.slots)
                or self._open_transactions.rivals(block.slots)
            ):
                return blocks[:count]
        return blocks[:-1]

    async def _apply(
        self,
        quiet: Sequence[FetchedBlock],
        block: FetchedBlock,
        found: PathDeposits,
        seen_at: float,
        *,
        is_last: bool,
    ) -> bool:
        """Apply a block and those below it; return whether they are stored."""
        started = time.monotonic()
        chain = self.chain.extended([applied.link for applied in (*quiet, block)])
        own = self._open_transactions.own(block.ids, block.slots)
        try:
            known = await self.evidence.of_paying(block, found.of(block).paid.keys())
            paying = await self._deposits.undisputed(block, known, own.values())
            facts = await self.evidence.of_block(block, chain, is_last=is_last)
        except SourceError:
            # The blocks below are complete: they are stored although the facts of this block are
            # missing.
            below = self._deposits.steps.of_blocks(found, quiet, {}, {})
            if await self._commit(quiet, (), set(), below, seen_at, started):
                self._deposits.applied(found, quiet)
            raise
        deposits = self._deposits.steps.of_blocks(found, (*quiet, block), own, paying)
        events = await self._records.decide(facts)
        events += self._deposits.steps.events(deposits, paying)
        hits = set(own)
        if not await self._commit((*quiet, block), events, hits, deposits, seen_at, started):
            return False
        self._deposits.applied(found, (*quiet, block))
        # The block contains these transactions, but the source does not return their outcomes yet.
        for key in hits - facts.keys():
            self._records.sweep.add_fresh(key)
        return True

    async def _commit(
        self,
        blocks: Sequence[FetchedBlock],
        events: tuple[Event, ...],
        hits: set[str],
        deposits: FoundDeposits | None,
        seen_at: float,
        started: float,
    ) -> bool:
        """Store blocks in one step; the events and the hits are those of the last block.

        Returns:
            Whether the blocks are stored; not if they were compared with too few addresses.
        """
        if not blocks:
            return True
        *quiet, last = blocks
        chain = self.chain.extended([block.link for block in blocks])
        step = Step(
            self._source.name,
            events,
            applied=last.link,
            slots=last.slots,
            quiet=tuple((block.link, block.slots) for block in quiet),
            keep=chain.keep,
            deposits=deposits,
        )
        stored = await self._records.commit(step)
        if stored.is_outdated:
            return False
        count_deposits(deposits, len(stored.started), self._source.name)
        self._move_to(chain)
        for block in blocks:
            self._status.applied(block.link.ref)
            self._recent.push(block.link, block.slots)
            self._branches.applied(block.link, loop_time())
            count_unreadable(block)
            await self._measure(block, hits if block is last else set(), seen_at, started)
        return True

    async def _measure(
        self, block: FetchedBlock, hits: set[str], seen_at: float, started: float
    ) -> None:
        now = time.monotonic()
        # All requests since the last block, including polls and questions about transactions.
        total = self._source.requests
        requests, self._counted = total - self._counted, total
        telemetry.execute(
            ("transaction_tracker", "block", "applied"),
            {
                "seconds": now - started,
                "transactions": len(block.ids),
                "hits": len(hits),
                "requests": requests,
            },
            {"number": block.link.number, "source": self._source.name},
        )
        async for part in Slices(hits):
            for _ in part:
                telemetry.execute(
                    ("transaction_tracker", "transaction", "detected"),
                    {"seconds": now - seen_at},
                    {"source": self._source.name},
                )

    def _reorganised(self, depth: int) -> None:
        facts = {"source": self._source.name}
        telemetry.execute(("transaction_tracker", "reorg"), {"depth": depth}, facts)
