"""Facts about the open transactions, from the blocks of a source."""

import logging
from collections.abc import Collection, Mapping, Sequence

from transaction_tracker.awake import loop_time
from transaction_tracker.domain import (
    TAGS,
    Agenda,
    BlockRef,
    Buried,
    Included,
    KeptChain,
    Outcome,
    Overtaken,
    RecentSlots,
    Tag,
    Transaction,
)
from transaction_tracker.follower.endings import Endings, Facts
from transaction_tracker.follower.marks import Marks
from transaction_tracker.follower.unreadable import UnusableAnswers
from transaction_tracker.slices import Slices
from transaction_tracker.sources import (
    ChainSource,
    FetchedBlock,
    MalformedError,
    SourceError,
    Unreadable,
)
from transaction_tracker.store import OpenTransactions

__all__ = ["Evidence", "Facts"]

Outcomes = Mapping[str, Outcome | Unreadable | None]

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Evidence:
    """Converts blocks to facts.

    Args:
        source: The source.
        open_transactions: The transactions that are not final, in memory.
        agenda: The transactions that wait for depth.
        recent: The slots that the last blocks took.
        endings: Holds facts back that would make a contradicted end.
        unusable: Parks transactions about which no provider returns a usable answer.

    Attributes:
        marks: The blocks of the chain's tags.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        agenda: Agenda,
        recent: RecentSlots,
        endings: Endings,
        unusable: UnusableAnswers,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._agenda = agenda
        self._recent = recent
        self._endings = endings
        self._unusable = unusable
        self.marks: Marks = Marks()
        self._early: dict[str, Outcomes] = {}
        self._opinion: object = None

    async def resume(self) -> None:
        """Restore the objections that were stored before a restart."""
        await self._endings.resume()

    def forget_chain(self) -> None:
        """Forget the marks, because our chain was replaced."""
        self.marks.clear()

    def forget(self, transaction: str) -> None:
        """Forget the answers about a transaction that is final or was untracked."""
        self._unusable.forget(transaction)
        self._endings.forget(transaction)

    async def prefetch(
        self,
        blocks: Sequence[FetchedBlock],
        chain: KeptChain,
        paying: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Prefetch the data for applying blocks one after another, in few requests.

        A failure has no effect: missing data is fetched when the block is applied.

        Args:
            blocks: The blocks, from the lowest up.
            chain: The chain that they extend.
            paying: By hash of the block, its transactions that pay watched addresses.
        """
        self._early, self._opinion = {}, None
        wanted = [(block, await self._wanted(block, paying or {})) for block in blocks]
        wanted = [(block, own) for block, own in wanted if own]
        try:
            if len(wanted) > 1:
                ids = [(block, set(own.values())) for block, own in wanted]
                self._early = dict(await self._source.outcomes_early(ids))
            elif blocks:
                block, own = wanted[0] if wanted else (blocks[-1], dict[str, str]())
                await self._foresee_ends(block, own, blocks, chain)
        except SourceError as error:
            logger.debug("could not prefetch data for %d blocks: %s", len(blocks), error)

    async def _wanted(
        self, block: FetchedBlock, paying: Mapping[str, Collection[str]]
    ) -> dict[str, str]:
        """Return the transactions of a block whose outcomes are needed, each with its id in it."""
        own = await self._own_ids(block)
        known = set(own.values())
        return own | {key: key for key in paying.get(block.link.hash, ()) if key not in known}

    async def _foresee_ends(
        self,
        block: FetchedBlock,
        wanted: Mapping[str, str],
        blocks: Sequence[FetchedBlock],
        chain: KeptChain,
    ) -> None:
        """Fetch outcomes together with the followed provider's opinion on expected ends.

        No request is made if no end is expected.

        Args:
            block: The block that contains the transactions.
            wanted: The transactions whose outcomes are needed, each with its id in the block.
            blocks: All blocks that are applied now.
            chain: The chain that they extend.
        """
        extended = chain.extended([block.link for block in blocks])
        facts = self._depth(extended)
        first = self.buried(block.link.ref, extended)
        if len(blocks) == 1:
            rivals = (await self._rivals(block)).items()
            facts |= {key: (*observations, first) for key, observations in rivals}
        endings = await self._endings.expected(facts, extended)
        own = map(self._open_transactions.get, wanted)
        at_once = {
            wanted[tracked.id]
            for tracked in own
            if tracked is not None and first.reaches(tracked.required)
        }
        if endings or at_once:
            ids = set(wanted.values())
            prefetched = await self._source.prefetch(block, ids, endings, at_once)
            self._early = {block.link.hash: prefetched.outcomes}
            self._opinion = prefetched.opinion

    async def of_block(
        self, block: FetchedBlock, chain: KeptChain, *, is_last: bool = True
    ) -> Facts:
        """Return the facts that follow from a block.

        Args:
            block: The block.
            chain: Our chain, with the block as its tip.
            is_last: Whether no other block follows at once. Facts that make ends are returned only
                with the last block, so that the providers are asked once about all of them.
        """
        facts = await self._rivals(block) | await self._own(block)
        if not is_last:
            return facts
        first = self.buried(block.link.ref, chain)
        facts = {key: (*observations, first) for key, observations in facts.items()}
        facts = self._depth(chain) | facts
        return await self._endings.cleared(facts, chain, loop_time(), self._opinion)

    async def of_paying(self, block: FetchedBlock, paying: Collection[str]) -> dict[str, Included]:
        """Return the facts about transactions of a block that pay watched addresses.

        The outcomes of the open transactions of the block are fetched in the same request, for
        ``of_block``. A transaction whose outcome no provider sends in a readable form is missing.

        Args:
            block: The block.
            paying: Ids of the transactions, in the block.
        """
        if not paying:
            return {}
        early = self._early.get(block.link.hash, {})
        wanted = {*(await self._own_ids(block)).values(), *paying}
        missing = wanted - early.keys()
        outcomes = dict(early)
        if missing:
            outcomes |= await self._source.outcomes(block, missing)
        self._early[block.link.hash] = outcomes
        transactions = await self._described(block, paying)
        found: dict[str, Included] = {}
        for key, transaction in transactions.items():
            outcome = outcomes.get(key)
            if transaction is None or key not in outcomes or isinstance(outcome, Unreadable):
                continue
            found[key] = Included(transaction, block.link.ref, outcome)
        return found

    async def of_depth(self, chain: KeptChain) -> Facts:
        """Return the facts that follow from the confirmations and the tags of blocks."""
        facts = self._depth(chain) if self._endings.is_due(chain, loop_time()) else {}
        return await self.cleared(facts, chain)

    async def cleared(self, facts: Facts, chain: KeptChain) -> Facts:
        """Return facts without those that would make an end to which a provider objects."""
        return await self._endings.cleared(facts, chain, loop_time())

    def _depth(self, chain: KeptChain) -> Facts:
        tip = chain.tip
        due = {} if tip is None else self._agenda.due_by(tip.number, self.marks.heights(chain))
        facts = {anchor: (self.buried(anchor, chain),) for anchor in set(due.values())}
        return {key: facts[anchor] for key, anchor in due.items()}

    def buried(self, block: BlockRef, chain: KeptChain) -> Buried:
        """Return the fact how deep a block is on a chain."""
        marks = self.marks.heights(chain)
        tags: list[Tag] = [tag for tag in TAGS if marks.get(tag, -1) >= block.number]
        return Buried(block, chain.confirmations(block), frozenset(tags))

    async def _rivals(self, block: FetchedBlock) -> Facts:
        facts: Facts = {}
        async for part in Slices(block.slots.items()):
            for loser, winner in self._open_transactions.rivals(dict(part)).items():
                overtaken = self._overtaken(loser, winner, block)
                if overtaken is not None:
                    facts[loser] = (overtaken,)
        return facts

    def _overtaken(self, loser: str, winner: str, block: FetchedBlock) -> Overtaken | None:
        tracked = self._open_transactions.get(loser)
        # A transaction leaves its block only by a reorganisation. And a slot that an earlier
        # block took already can be used more than once on this chain: nothing follows from it.
        if tracked is None or tracked.waits_for_depth:
            return None
        if not self._recent.is_free(tracked.slots):
            return None
        transaction = self.describe(block, winner)
        return None if transaction is None else Overtaken(transaction, block.link.ref)

    async def _own_ids(self, block: FetchedBlock) -> dict[str, str]:
        """Return the open transactions of a block that are in no other one, with their ids in it.

        The id in the block is another one for a transaction that is tracked by its slot.
        """
        found, ref = self._open_transactions.own(block.ids, block.slots), block.link.ref
        own: dict[str, str] = {}
        async for part in Slices(found.items()):
            own |= {key: id_ for key, id_ in part if not self._is_mined_elsewhere(key, ref)}
        return own

    def _is_mined_elsewhere(self, key: str, block: BlockRef) -> bool:
        tracked = self._open_transactions.get(key)
        if tracked is None or tracked.state not in ("mined", "mined_reverted"):
            return False
        return tracked.anchor != block

    async def _own(self, block: FetchedBlock) -> Facts:
        own, ref = await self._own_ids(block), block.link.ref
        early = self._early.pop(block.link.hash, {})
        ids = set(own.values())
        missing = ids - early.keys()
        outcomes = dict(early)
        # Before the outcomes: usually, the source is sending them now.
        transactions = await self._described(block, ids)
        if missing:
            outcomes |= await self._source.outcomes(block, missing)
        facts: Facts = {}
        async for part in Slices(own.items()):
            for key, id_ in part:
                if id_ not in outcomes:
                    continue
                included = await self.included(key, transactions[id_], ref, outcomes[id_])
                if included is not None:
                    facts[key] = (included,)
        return facts

    async def included(
        self,
        key: str,
        transaction: Transaction | None,
        block: BlockRef,
        outcome: Outcome | Unreadable | None,
    ) -> Included | None:
        """Return the fact that a transaction is in a block; ``None`` if it is not readable.

        Args:
            key: The transaction.
            transaction: What the block contains of it; ``None`` if that is unreadable.
            block: The block.
            outcome: Its outcome there.
        """
        if isinstance(outcome, Unreadable):
            await self._unusable.note(key, outcome)
        elif transaction is not None:
            self._unusable.forget(key)
            return Included(transaction, block, outcome)
        return None

    async def _described(
        self, block: FetchedBlock, keys: Collection[str]
    ) -> dict[str, Transaction | None]:
        found: dict[str, Transaction | None] = {}
        async for part in Slices(keys):
            found |= {key: self.describe(block, key) for key in part}
        return found

    def describe(self, block: FetchedBlock, key: str) -> Transaction | None:
        """Return a transaction of a block; ``None`` if it is unreadable."""
        try:
            return self._source.transaction(block, key)
        except MalformedError as error:
            # One malformed transaction must not stop all others in its block.
            logger.warning(
                "could not read transaction %s of block %s: %s", key, block.link.hash, error
            )
            return None
