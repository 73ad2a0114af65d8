"""Walking along the chain: up with the head, and back where the chain is reorganised."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from beamish import telemetry
from transaction_tracker.domain import BlockRef, Chain, Event, Link, Orphaned, RecentSlots, Tag
from transaction_tracker.follower.branches import Branches
from transaction_tracker.follower.endings import Endings
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.old_blocks import RepeatedBlocks
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.undoing import UndoCheck
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.sources import (
    ChainSource,
    FetchedBlock,
    MalformedError,
    NotYetError,
    SourceError,
)
from transaction_tracker.store import Book, Step, Store

# Blocks fetched in one go; after so many, other messages of the follower are handled first.
_STRIDE = 128
# A head below ours mostly comes from a node that lags behind the one that answered before. It is
# believed when it stays: for this many polls, and for this many block times if it only lacks
# our last blocks and has no others in their place.
_PATIENT_POLLS = 3
_PATIENT_BLOCKS = 2

logger = logging.getLogger("transaction_tracker")


class _Path(NamedTuple):
    """The way to a head.

    Attributes:
        root: The block that the first one builds on.
        blocks: From the lowest up.
    """

    root: BlockRef
    blocks: list[FetchedBlock]


class Walk:
    """Our place on the chain, and the way from there to the head.

    Each block is one step of the store, taken back or applied.

    Args:
        source: Where the blocks come from.
        book: The open transactions.
        records: Makes transitions of facts.
        status: Where to record our progress.
        keep: Blocks to keep for reorganisations.
        block_time: Returns the seconds from block to block, which can change.

    Attributes:
        chain: The blocks that are kept.
        evidence: Makes facts of what the source says.
        told_tags: The tags whose blocks the followed provider told with its head.
    """

    def __init__(
        self,
        source: ChainSource,
        book: Book,
        records: Records,
        status: FollowerStatus,
        keep: int,
        block_time: Callable[[], float],
    ) -> None:
        self._source = source
        self._book = book
        self._records = records
        self._status = status
        self._block_time = block_time
        self._recent = RecentSlots()
        self._branches = Branches()
        self._undo_check = UndoCheck(source, status, block_time)
        self._low_heads = 0
        self._low_since = 0.0
        self._counted = 0
        self.told_tags: frozenset[Tag] = frozenset()
        self.chain = Chain(keep)
        endings = Endings(source, book, status)
        repeated = RepeatedBlocks(records.policy)
        self.evidence = Evidence(source, book, records.agenda, self._recent, endings, repeated)
        records.on_end(self.evidence.forget)

    async def resume(self) -> None:
        """Go on from the blocks that are stored."""
        links = await Store.claim(self._source.name)
        self._move_to(Chain.of(self.chain.keep, links))
        for link, slots in await Store.recent_slots(self._source.name):
            self._recent.push(link, slots)
        await self.evidence.resume()

    async def advance(self) -> bool:
        """Follow the head as far as one stride goes, and return whether there is more."""
        head = await self._source.head(marks=self._records.agenda.waits_for_tags)
        seen_at = time.monotonic()
        self._status.heard(head.link.number)
        self.told_tags = frozenset(head.marks)
        if await self._stays(head.link):
            self.evidence.note_marks(head, self.chain)
            await self._tell_depth()
            return False
        path = await self._path(head.link)
        if self._is_left([block.link for block in path.blocks]):
            return False
        await self._turn_to(path)
        await self.evidence.prefetch(path.blocks, self.chain)
        await self._apply_all(path.blocks, seen_at)
        self.evidence.note_marks(head, self.chain)
        if head.marks:
            await self._tell_depth()
        return self._has_more(head.link, path)

    def _has_more(self, head: Link, path: _Path) -> bool:
        tip = self.chain.tip
        if tip is not None and tip.ref == head.ref:
            self._status.up_to_date()
            return False
        return bool(path.blocks) and tip is not None and tip.number < head.number

    # -- Whether to move

    async def _stays(self, head: Link) -> bool:
        """Return whether this head is not a reason to move."""
        tip = self.chain.tip
        self._branches.showed(head, self.chain, _now())
        if self._is_left([head]):
            return True
        if tip is None or head.number > tip.number:
            self._trust_again()
            return False
        if head.number < tip.number:
            return await self._stays_above(head, tip)
        self._trust_again()
        if head.ref != tip.ref:
            return False
        self._undo_check.passed()
        self._status.up_to_date()
        return True

    def _is_left(self, links: Sequence[Link]) -> bool:
        """Return whether the way to a head leads back to a branch that we have left."""
        patience = _PATIENT_BLOCKS * self._block_time()
        return self._branches.is_left(links, self.chain, _now(), patience)

    def _trust_again(self) -> None:
        if self._low_heads:
            self._low_heads = 0
            self._status.resumed()

    async def _stays_above(self, head: Link, tip: Link) -> bool:
        """Return whether we stay although the source's head is below our tip.

        A node that lags shows our own chain without its last blocks. What is not final goes back
        with it once that lasts, as the chain can have become shorter. What is final only goes
        once there is another block in its place, or a node far behind would stop all deliveries.
        """
        now = _now()
        if not self._low_heads:
            self._low_since = now
        self._low_heads += 1
        if self._low_heads < _PATIENT_POLLS:
            return True
        bottom = self.chain.bottom
        if bottom is None or head.number < bottom.number:
            # Nothing that is kept can be compared with it: it proves nothing about our blocks.
            self._halt(head, tip, "it is below all blocks that are kept")
            return True
        if not self.chain.holds(head.ref):
            return False
        if now - self._low_since < _PATIENT_BLOCKS * self._block_time():
            return True
        if await self._source.is_contested(tip.ref):
            return True  # others have our last block: this node lags, the chain is not shorter
        final = await self._lowest_final_above(head)
        if final is not None:
            self._halt(head, tip, f"a transaction has ended in block {final}")
        return final is not None

    def _halt(self, head: Link, tip: Link, why: str) -> None:
        reason = (
            f"the source's head is block {head.number} ({head.hash}), below our last block "
            f"{tip.number} ({tip.hash}), and {why}: the node lags far behind, or the chain has "
            "become shorter; nothing is taken back"
        )
        # Until then it can be a node that catches up.
        if _now() - self._low_since < limit_seconds(self._block_time()):
            self._status.failed(reason)
        else:
            self._status.halted(reason)

    async def _lowest_final_above(self, head: Link) -> int | None:
        """Return the first block above a head in which a transaction has ended."""
        for link in self.chain.links:
            if link.number > head.number and await Store.anchored(link.hash):
                return link.number
        return None

    async def _tell_depth(self) -> None:
        """Tell ends that need no further block: by the chain's own word, or held back before."""
        facts = await self.evidence.of_depth(self.chain)
        await self._records.commit(Step(self._source.name, await self._records.decide(facts)))

    # -- The way to the head

    async def _path(self, head: Link) -> _Path:
        """Fetch the blocks from a kept one up to the head, or a part of the way."""
        tip = self.chain.tip
        if tip is not None and head.number > tip.number + 1:
            stop = min(head.number, tip.number + _STRIDE) + 1
            blocks = await self._source.blocks(range(tip.number + 1, stop))
            if blocks:
                return await self._path_down(blocks[::-1])
            if stop <= head.number:
                raise NotYetError(f"block {tip.number + 1} is missing below the head {head.number}")
        elif tip is not None and self.chain.holds(head.ref):
            return _Path(head.ref, [])
        return await self._path_down([await self._fetch(head.ref, [])])

    async def _path_down(self, path: list[FetchedBlock]) -> _Path:
        """Fetch blocks by hash from some down to one that is kept.

        Args:
            path: The blocks so far, from the highest down.
        """
        while True:
            lowest, bottom = path[-1].link, self.chain.bottom
            parent = self._parent_of(lowest)
            if self.chain.holds(parent) or bottom is None or lowest.number <= bottom.number:
                return _Path(parent, path[::-1])
            try:
                path.append(await self._fetch(parent, path))
            except NotYetError:
                # A hash commits to the parent, so one of two providers that differ is wrong.
                other = await self._source.other_version(path[-1])
                if other is None:
                    raise
                path[-1] = other

    async def _fetch(self, ref: BlockRef, above: list[FetchedBlock]) -> FetchedBlock:
        try:
            block = await self._source.block(ref)
        except NotYetError as error:
            if not above:
                raise
            child = above[-1].link
            raise NotYetError(
                f"block {child.number} ({child.hash}) names the parent {ref.hash} "
                f"(field parentHash), which no provider has: {error}"
            ) from None
        if above and block.link.number >= above[-1].link.number:
            raise MalformedError(
                f"block {ref.hash} has number {block.link.number}, and is the parent of block "
                f"{above[-1].link.number}"
            )
        return block

    def _parent_of(self, link: Link) -> BlockRef:
        """Return the parent; a kept one with its number, as numbers can be without a block."""
        # After a reorganisation, a number can be without a block where we keep one.
        for kept in reversed(self.chain.links):
            if kept.hash == link.parent and kept.number < link.number:
                return kept.ref
        return link.parent_ref

    async def _turn_to(self, path: _Path) -> None:
        """Take back the blocks that are not below the path."""
        if self.chain.tip is not None and not self.chain.holds(path.root):
            await self._start_over(path.root)
        undo = self.chain.fork(path.root, [block.link for block in path.blocks]).undo
        await self._check_undo(undo)
        self._undo_check.passed()
        for link in undo:
            await self._undo(link)
        if undo:
            self._reorganised(len(undo))

    async def _check_undo(self, links: tuple[Link, ...]) -> None:
        """Raise an error while what has ended, or is final, would be taken back too early."""
        finalized = self.evidence.marks(self.chain).get("finalized", -1)
        for link in links:
            has_ended = bool(await Store.anchored(link.hash))
            if has_ended or link.number <= finalized:
                what = "where a transaction has ended" if has_ended else "which is finalized"
                reason = f"the followed provider has another block at height {link.number}, {what}"
                await self._undo_check.require(link.ref, reason)

    async def _start_over(self, root: BlockRef) -> None:
        """Forget all blocks: the chain parts from ours below the lowest that is kept."""
        # Before anything is taken back: it could be another chain altogether, or one node's.
        await self._source.check(again=True)
        bottom = self.chain.bottom
        if bottom is not None:
            await self._undo_check.require(
                bottom.ref,
                f"the followed provider's chain parts from ours below block {bottom.number}, the "
                "lowest that is kept",
            )
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
        self._move_to(Chain(self.chain.keep))
        self._recent.clear()
        self.evidence.forget_chain()
        # Also those that were in no block: on this chain one can have them, below our first block.
        for tracked in self._book:
            if tracked.unplaced:
                self._records.sweep.add_fresh(tracked.id)

    async def _undo(self, link: Link) -> None:
        violated = await self._violated(link.ref)
        events = await self._records.decide(self._lost(link.ref))
        freezes = bool(violated) or link.number <= self.evidence.marks(self.chain).get(
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
        self.evidence.forget_marks(link.number)
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

    def _move_to(self, chain: Chain) -> None:
        self.chain = chain
        self._source.follows(chain)

    # -- Applying

    async def _apply_all(self, blocks: Sequence[FetchedBlock], seen_at: float) -> None:
        applied = 0
        while applied < len(blocks):
            quiet = self._leading_quiet(blocks[applied:])
            block = blocks[applied + len(quiet)]
            await self._apply(quiet, block, seen_at, is_last=block is blocks[-1])
            applied += len(quiet) + 1

    def _leading_quiet(self, blocks: Sequence[FetchedBlock]) -> Sequence[FetchedBlock]:
        """Return the first blocks, without the last one, that change no open transaction.

        They share the database transaction of the block after them: otherwise the disk limits
        catching up. After a crash they are fetched again.
        """
        for count, block in enumerate(blocks[:-1]):
            if self._book.own(block.ids) or self._book.rivals(block.slots):
                return blocks[:count]
        return blocks[:-1]

    async def _apply(
        self, quiet: Sequence[FetchedBlock], block: FetchedBlock, seen_at: float, *, is_last: bool
    ) -> None:
        started = time.monotonic()
        chain = self.chain.extended([one.link for one in (*quiet, block)])
        hits = self._book.own(block.ids)
        try:
            facts = await self.evidence.of_block(block, chain, is_last=is_last)
        except SourceError:
            # What is certain is kept: a block that the source cannot explain stops nothing below.
            await self._commit(quiet, (), set(), seen_at, started)
            raise
        events = await self._records.decide(facts)
        await self._commit((*quiet, block), events, hits, seen_at, started)
        # The source lists them in the block and does not say yet what came of them.
        for key in hits - facts.keys():
            self._records.sweep.add_fresh(key)

    async def _commit(
        self,
        blocks: Sequence[FetchedBlock],
        events: tuple[Event, ...],
        hits: set[str],
        seen_at: float,
        started: float,
    ) -> None:
        """Store blocks in one step; the events and the hits are those of the last one."""
        if not blocks:
            return
        *quiet, last = blocks
        chain = self.chain.extended([block.link for block in blocks])
        step = Step(
            self._source.name,
            events,
            applied=last.link,
            slots=last.slots,
            quiet=tuple((block.link, block.slots) for block in quiet),
            keep=chain.keep,
        )
        await self._records.commit(step)
        self._move_to(chain)
        for block in blocks:
            self._status.applied(block.link.ref)
            self._recent.push(block.link, block.slots)
            self._branches.applied(block.link, _now())
            self.evidence.count_unreadable(block)
            self._measure(block, hits if block is last else set(), seen_at, started)

    def _measure(self, block: FetchedBlock, hits: set[str], seen_at: float, started: float) -> None:
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


def _now() -> float:
    return asyncio.get_running_loop().time()
