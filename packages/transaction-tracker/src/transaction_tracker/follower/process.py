"""The follower: asks the source for blocks, and tells the trackers that a block concerns."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from beamish import Continue, ExitError, GenServer, process
from transaction_tracker.domain import (
    Agenda,
    BlockRef,
    Chain,
    Event,
    Link,
    Observation,
    Orphaned,
    Recent,
    Sweep,
    Tracked,
    decide,
)
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.outage import Outage
from transaction_tracker.sources import Block, MalformedError, NotYetError, Source, SourceError
from transaction_tracker.store import Book, Step, Store
from transaction_tracker.tracker import Started, TransactionTracker, via

# Blocks fetched in one go; after so many, whoever else waits comes first.
_STRIDE = 64
# New transactions in one look-up, and old ones asked about at each poll.
_FRESH = 100
_DUE = 20
_NOTED_AT_ONCE = 5_000
# A head below ours may come from a node that lags behind the last one that answered:
# only one that stays is a chain that has really become shorter.
_PATIENT_POLLS = 3

logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Poll:
    """It is time to ask for the head."""


@dataclass(frozen=True, slots=True)
class Attend:
    """New trackers wait to hear what is known of their transactions."""


class Follower(GenServer):
    """Follow the head of one chain.

    A head is never broadcast: trackers hear of blocks that have their transaction, or a
    rival, of heights that make their state final, and of blocks that went. Each block is
    one step of the store. Blocks and questions about single transactions are handled one
    after the other, here, so that no block slips in between question and answer.

    Args:
        source: Where the blocks come from.
        book: The open transactions.
        poll_interval: Seconds between questions for the head.
        keep: Blocks to keep for reorganisations.
    """

    def __init__(self, source: Source, book: Book, poll_interval: float, keep: int) -> None:
        self._source = source
        self._book = book
        self._poll_interval = poll_interval
        self._chain = Chain(keep)
        self._agenda = Agenda()
        self._recent = Recent()
        self._evidence = Evidence(source, book, self._agenda, self._recent)
        self._sweep = Sweep()
        self._outage = Outage()
        self._low_heads = 0
        self._attending = False

    async def init(self) -> Continue:
        """Go on from the blocks that are stored."""
        links = await Store.claim(self._source.name)
        self._chain = Chain.of(self._chain.keep, links)
        # A copy: new ones may come while this lets others run, and say so themselves.
        for number, tracked in enumerate(list(self._book)):
            self._note(tracked)
            if number % _NOTED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return Continue(Poll())

    async def handle_continue(self, _arg: object) -> None:
        """Poll for the first time."""
        await self._poll()

    def handle_cast(self, request: Started) -> None:
        """Ask about a new tracker's transaction soon, together with others that come now."""
        self._sweep.add_fresh(request.transaction)
        self._attend_soon()

    async def handle_info(self, message: object) -> None:
        """Do what it is time for."""
        match message:
            case Poll():
                await self._poll()
            case Attend():
                self._attending = False
                await self._attend()
            case _:
                super().handle_info(message)

    async def _poll(self) -> None:
        delay = self._poll_interval
        try:
            if await self._advance():
                delay = 0.0
            await self._ask(self._sweep.take_due(_now(), _DUE))
            self._outage.over()
        except SourceError as error:
            delay = self._outage.failed(error, self._poll_interval)
        self._attend_soon()
        process.send_after(self.pid, Poll(), delay)

    async def _attend(self) -> None:
        # Before the first block there is nothing to place an answer in, and while the
        # source is down there is none.
        if self._chain.tip is None or self._outage.lasts:
            return
        try:
            await self._ask(self._sweep.take_fresh(_now(), _FRESH))
        except SourceError as error:
            # The next poll that succeeds takes up the rest.
            self._outage.failed(error, self._poll_interval)
        else:
            self._attend_soon()

    def _attend_soon(self) -> None:
        if self._sweep.has_fresh and not self._attending:
            self._attending = True
            process.send(self.pid, Attend())

    async def _ask(self, ids: Collection[str]) -> None:
        """Ask about single transactions, and store what the answers change."""
        if ids:
            facts = await self._evidence.of_transactions(ids, self._chain)
            await self._commit(Step(self._source.name, await self._decide(facts)))

    async def _advance(self) -> bool:
        """Follow the head as far as one stride goes, and say whether there is more."""
        head = await self._source.head()
        if self._stays(head):
            return False
        target = await self._target(head)
        root, path = await self._path(target)
        if self._chain.tip is not None and not self._chain.holds(root):
            await self._start_over(root)
        for link in self._chain.fork(root, [block.link for block in path]).undo:
            await self._undo(link)
        for block in path:
            await self._apply(block)
        return target != head.ref

    def _stays(self, head: Link) -> bool:
        """Say whether this head is no reason to move."""
        tip = self._chain.tip
        lower = tip is not None and head.number < tip.number
        self._low_heads = self._low_heads + 1 if lower else 0
        return head == tip or 0 < self._low_heads < _PATIENT_POLLS

    async def _target(self, head: Link) -> BlockRef:
        """Give the block to go to now: the head, or one on the way when that is far."""
        tip = self._chain.tip
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
        while not self._chain.holds(ref):
            block = await self._source.block(ref.hash)
            if block.link.number != ref.number:
                raise MalformedError(f"block {ref.hash} has number {block.link.number}")
            path.append(block)
            ref = block.link.parent_ref
            if self._chain.is_below(block.link):
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
        for block in self._agenda.blocks():
            facts |= dict.fromkeys(self._agenda.decided_in(block), (Orphaned(block),))
        await self._commit(Step(self._source.name, await self._decide(facts), forgets=True))
        self._chain = Chain(self._chain.keep)
        self._recent.clear()
        for key in facts:
            self._sweep.add_fresh(key)

    async def _undo(self, link: Link) -> None:
        facts: Facts = dict.fromkeys(self._agenda.decided_in(link.ref), (Orphaned(link.ref),))
        await self._commit(Step(self._source.name, await self._decide(facts), undone=link))
        self._chain = self._chain.pop()
        self._recent.drop(link)

    async def _apply(self, block: Block) -> None:
        chain = self._chain.push(block.link)
        hits = self._book.own(block.ids)
        facts = await self._evidence.of_block(block, chain)
        events = await self._decide(facts)
        step = Step(self._source.name, events, applied=block.link, keep=chain.keep)
        await self._commit(step)
        self._chain = chain
        self._recent.push(block.link, block.slots)
        # The source lists them in the block and does not say yet what came of them.
        for key in hits - facts.keys():
            self._sweep.add_fresh(key)

    async def _decide(self, facts: Facts) -> tuple[Event, ...]:
        """Let the trackers decide what the facts make of their transactions."""
        events: list[Event] = []
        for key, observations in facts.items():
            events += await self._decision(key, observations)
        return tuple(events)

    async def _decision(self, key: str, observations: tuple[Observation, ...]) -> tuple[Event, ...]:
        try:
            return await TransactionTracker.observe(via(key), observations)
        except ExitError:
            # It is being restarted, or stuck. The block goes by once: the same rules
            # decide here, and the tracker finds its row moved on.
            return self._decide_for(key, observations)

    def _decide_for(self, key: str, observations: tuple[Observation, ...]) -> tuple[Event, ...]:
        tracked = self._book.get(key)
        try:
            return () if tracked is None else decide(tracked, observations)
        except Exception:  # whatever a poison transaction raises: the others go on
            logger.exception("nothing could be decided for %s", key)
            return ()

    async def _commit(self, step: Step) -> None:
        if step == Step(step.source):
            return
        for tracked in (await Store.commit(step)).rows:
            self._note(tracked)

    def _note(self, tracked: Tracked) -> None:
        """Put a transaction where it is looked for from now on."""
        self._agenda.note(tracked)
        if tracked.final or tracked.waits_for_depth:
            self._sweep.forget(tracked.id)
        elif tracked.state == "registered" and tracked.id not in self._sweep:
            self._sweep.add_fresh(tracked.id)
        else:
            self._sweep.add(tracked.id, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
