"""What a source's answers say about the open transactions, turned into observations."""

import logging
import time
from collections.abc import Mapping

from transaction_tracker.domain import (
    TAGS,
    Agenda,
    BlockRef,
    Buried,
    Chain,
    Included,
    Observation,
    Overtaken,
    Recent,
    Seen,
    Tag,
    Transaction,
)
from transaction_tracker.sources import Answer, Block, ChainSource, MalformedError
from transaction_tracker.store import Book

Facts = dict[str, tuple[Observation, ...]]

logger = logging.getLogger("transaction_tracker")


class Evidence:
    """Gathers facts: those of a block, and those about single transactions.

    Args:
        source: Where they come from.
        book: The open transactions.
        agenda: Those that wait for depth.
        recent: The slots that the last blocks took.

    Attributes:
        marks: The heights up to which the chain gives its own word, of the last head.
    """

    def __init__(self, source: ChainSource, book: Book, agenda: Agenda, recent: Recent) -> None:
        self._source = source
        self._book = book
        self._agenda = agenda
        self._recent = recent
        self.marks: Mapping[Tag, int] = {}

    async def of_block(self, block: Block, chain: Chain) -> Facts:
        """Gather what a block says, with ``chain`` ending in it."""
        return self.of_depth(chain) | self._rivals(block) | await self._own(block)

    def of_depth(self, chain: Chain) -> Facts:
        """Gather what the depth of ``chain``, and its own word, say of blocks."""
        tip = chain.tip
        due = {} if tip is None else self._agenda.due_by(tip.number, self.marks)
        return {key: (self._buried(anchor, chain),) for key, anchor in due.items()}

    async def of_transactions(
        self, slots: Mapping[str, str | None], chain: Chain, *, at_once: bool
    ) -> Facts:
        """Ask about single transactions; one about which nothing is certain is left out."""
        height = -1 if chain.tip is None else chain.tip.number
        answers = await self._source.look_up(slots, height, at_once=at_once)
        old = await self._old_blocks(answers, chain)
        facts: Facts = {}
        for key, answer in answers.items():
            if isinstance(answer, Seen):
                facts[key] = (answer, *await self._behind(key, answer.transaction.slot, chain))
            elif not isinstance(answer, Included):
                # Nobody knows it any more, perhaps because a block took its slot while nobody
                # here was interested.
                facts[key] = await self._behind(key, slots[key], chain) or (answer,)
            elif chain.holds(answer.block) or answer.block in old:
                facts[key] = (answer, self._buried(answer.block, chain))
            elif answer.block.number > height:
                # The source is a block further than we are: that block will tell.
                facts[key] = (Seen(answer.transaction, time.time()),)
        return facts

    def _buried(self, block: BlockRef, chain: Chain) -> Buried:
        tags = [tag for tag in TAGS if self.marks.get(tag, -1) >= block.number]
        return Buried(block, chain.confirmations(block), frozenset(tags))

    def _rivals(self, block: Block) -> Facts:
        facts: Facts = {}
        for loser, winner in self._book.rivals(block.slots).items():
            transaction = self._describe(block, winner)
            if transaction is not None:
                facts[loser] = (Overtaken(transaction, block.link.ref), self._first(block))
        return facts

    async def _own(self, block: Block) -> Facts:
        own = self._book.own(block.ids)
        if not own:
            return {}
        facts: Facts = {}
        for key, outcome in (await self._source.outcomes(block, own)).items():
            transaction = self._describe(block, key)
            if transaction is not None:
                included = Included(transaction, block.link.ref, outcome)
                facts[key] = (included, self._first(block))
        return facts

    def _first(self, block: Block) -> Buried:
        """Count the block itself: one confirmation is all that some ask for."""
        tags = [tag for tag in TAGS if self.marks.get(tag, -1) >= block.link.number]
        return Buried(block.link.ref, 1, frozenset(tags))

    def _describe(self, block: Block, key: str) -> Transaction | None:
        try:
            return self._source.transaction(block, key)
        except MalformedError:
            # One bad transaction must not keep all others from their block.
            logger.exception("transaction %s of block %s is left out", key, block.link.hash)
            return None

    async def _behind(self, key: str, slot: str | None, chain: Chain) -> tuple[Observation, ...]:
        """Look whether a block that is applied already took the slot just heard of."""
        taken = None if slot is None else self._recent.taken(slot)
        if taken is None:
            return ()
        link, winner = taken
        block = await self._source.block(link.hash)
        found = self._describe(block, winner)
        if found is None:
            return ()
        buried = self._buried(link.ref, chain)
        if winner != key:
            return Overtaken(found, link.ref), buried
        outcomes = await self._source.outcomes(block, [key])
        included = [Included(found, link.ref, one) for one in outcomes.values()]
        return *included, buried

    async def _old_blocks(self, answers: Mapping[str, Answer], chain: Chain) -> set[BlockRef]:
        """Make sure of blocks that lie below those that are kept."""
        bottom = chain.bottom.number if chain.bottom else 0
        old = {
            answer.block.number
            for answer in answers.values()
            if isinstance(answer, Included) and answer.block.number < bottom
        }
        links = await self._source.links(old) if old else {}
        return {link.ref for link in links.values()}
