"""What a source's answers say about the open transactions, turned into observations."""

import logging
from collections.abc import Collection, Mapping

from transaction_tracker.domain import (
    Agenda,
    BlockRef,
    Buried,
    Chain,
    Included,
    Observation,
    Overtaken,
    Recent,
    Seen,
    Transaction,
)
from transaction_tracker.sources import Block, MalformedError, Source
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
    """

    def __init__(self, source: Source, book: Book, agenda: Agenda, recent: Recent) -> None:
        self._source = source
        self._book = book
        self._agenda = agenda
        self._recent = recent

    async def of_block(self, block: Block, chain: Chain) -> Facts:
        """Gather what a block says, with ``chain`` ending in it."""
        due: Facts = {
            key: (Buried(anchor, chain.confirmations(anchor)),)
            for key, anchor in self._agenda.due_by(block.link.number).items()
        }
        return due | self._rivals(block) | await self._own(block)

    async def of_transactions(self, ids: Collection[str], chain: Chain) -> Facts:
        """Ask about single transactions; one about which nothing is certain is left out."""
        answers = await self._source.look_up(ids)
        old = await self._old_blocks(answers, chain)
        facts: Facts = {}
        for key, answer in answers.items():
            if isinstance(answer, Seen):
                facts[key] = (answer, *await self._behind(answer.transaction, chain))
            elif chain.holds(answer.block) or answer.block in old:
                facts[key] = (answer, Buried(answer.block, chain.confirmations(answer.block)))
            elif _is_ahead(answer.block, chain):
                # The source is a block further than we are: that block will tell.
                facts[key] = (Seen(answer.transaction),)
        return facts

    def _rivals(self, block: Block) -> Facts:
        facts: Facts = {}
        for loser, winner in self._book.rivals(block.slots).items():
            transaction = self._describe(block, winner)
            if transaction is not None:
                facts[loser] = (Overtaken(transaction, block.link.ref), Buried(block.link.ref, 1))
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
                facts[key] = (included, Buried(block.link.ref, 1))
        return facts

    def _describe(self, block: Block, key: str) -> Transaction | None:
        try:
            return self._source.transaction(block, key)
        except MalformedError:
            # One bad transaction must not keep all others from their block.
            logger.exception("transaction %s of block %s is left out", key, block.link.hash)
            return None

    async def _behind(self, transaction: Transaction, chain: Chain) -> tuple[Observation, ...]:
        """Look whether a block that is applied already took the slot just heard of."""
        taken = self._recent.taken(transaction.slot)
        if taken is None:
            return ()
        link, winner = taken
        block = await self._source.block(link.hash)
        buried = Buried(link.ref, chain.confirmations(link.ref))
        if winner != transaction.id:
            rival = self._describe(block, winner)
            return () if rival is None else (Overtaken(rival, link.ref), buried)
        outcomes = await self._source.outcomes(block, [winner])
        included = [Included(transaction, link.ref, one) for one in outcomes.values()]
        return *included, buried

    async def _old_blocks(
        self, answers: Mapping[str, Seen | Included], chain: Chain
    ) -> set[BlockRef]:
        """Make sure of blocks that lie below those that are kept."""
        bottom = chain.bottom.number if chain.bottom else 0
        old = {
            answer.block.number
            for answer in answers.values()
            if isinstance(answer, Included) and answer.block.number < bottom
        }
        links = await self._source.links(old) if old else {}
        return {link.ref for link in links.values()}


def _is_ahead(block: BlockRef, chain: Chain) -> bool:
    return chain.tip is None or block.number > chain.tip.number
