"""The follower: follows the head of one chain, and asks about what following cannot tell."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from beamish import Continue, GenServer, Ref, process
from transaction_tracker.domain import Policy
from transaction_tracker.follower.block_time import BlockTime
from transaction_tracker.follower.budget import Budget
from transaction_tracker.follower.outage import Outage
from transaction_tracker.follower.questions import Questions
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.undecided import Undecided
from transaction_tracker.follower.walk import Walk
from transaction_tracker.providers import HeadHint
from transaction_tracker.sources import ChainSource, SourceError
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import CheckTransaction, TransactionUntracked


@dataclass(frozen=True, slots=True)
class Poll:
    """It is time to ask for the head."""


@dataclass(frozen=True, slots=True)
class CheckNewTransactions:
    """New trackers wait to hear what is known of their transactions."""


class Follower(GenServer):
    """Follow the head of one chain.

    A head is never broadcast: trackers hear of blocks that have their transaction, or a
    rival, of heights that make their state final, and of blocks that went. Each block is
    one step of the store. Blocks and questions about single transactions are handled one
    after the other, here, so that no block slips in between question and answer.

    Args:
        source: Where the blocks come from.
        open_transactions: The transactions that are not final, in memory.
        policy: When waiting becomes news.
        status: Where it records its progress.
        poll_interval: Seconds between questions for the head while a block is due.
        keep: Blocks to keep for reorganisations.
        sweep_budget: Calls about single transactions in one batch, for each block.
        block_time: Returns the seconds from block to block, which can change.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        policy: Policy,
        status: FollowerStatus,
        *,
        poll_interval: float,
        keep: int,
        sweep_budget: int,
        block_time: Callable[[], float],
    ) -> None:
        self._source = source
        self._poll_interval = poll_interval
        self._records = Records(open_transactions, policy)
        self._status = status
        self._walk = Walk(source, open_transactions, self._records, status, keep, block_time)
        evidence = self._walk.evidence
        undecided = Undecided(status)
        self._questions = Questions(
            source, open_transactions, evidence, self._records, policy, undecided, sweep_budget
        )
        self._outage = Outage()
        self._block_time = BlockTime(poll_interval)
        self._hint: HeadHint | None = None
        self._attending = False
        self._budget = Budget()
        self._counted = source.requests
        self._next_poll: Ref | None = None

    async def init(self) -> Continue:
        """Go on from the blocks that are stored."""
        await self._walk.resume()
        await self._records.take_up()
        return Continue(Poll())

    async def handle_continue(self, _arg: object) -> None:
        """Poll for the first time."""
        await self._poll()

    def handle_cast(self, request: CheckTransaction | TransactionUntracked) -> None:
        """Ask about a transaction soon, together with others that come now; or no more."""
        match request:
            case CheckTransaction(transaction):
                self._records.sweep.add_fresh(transaction)
                self._attend_soon()
            case TransactionUntracked(transaction):
                self._records.forget(transaction)

    async def handle_info(self, message: object) -> None:
        """Do what it is time for."""
        match message:
            case Poll():
                await self._poll()
            case HeadHint() if not self._outage.lasts:
                # A hint and no more: it only makes the next question come sooner.
                self._hint = message
                self._poll_after(0.0)
            case HeadHint():
                pass
            case CheckNewTransactions():
                self._attending = False
                await self._attend()
            case _:
                super().handle_info(message)

    async def _poll(self) -> None:
        asked_at = _now()
        try:
            delay = 0.0 if await self._follow() else self._until_due(asked_at)
            self._outage.over()
        except SourceError as error:
            self._status.failed(error)
            delay = self._outage.failed(error, self._poll_interval)
        self._attend_soon()
        self._poll_after(delay)

    async def _follow(self) -> bool:
        """Go on to the head, then see to those that no block tells of; say if there is more."""
        tip = self._walk.chain.tip
        if await self._walk.advance():
            return True
        # Since the look before: what the questions of that one cost is made up for, too.
        requests, self._counted = self._source.requests - self._counted, self._source.requests
        self._questions.note_tags(self._walk.told_tags)
        room = self._budget.look(requests, is_new=tip != self._walk.chain.tip)
        if self._questions.has_late and self._budget.for_deadlines(room=room):
            await self._questions.late(self._walk.chain)
        elif room:
            await self._questions.due(self._walk.chain)
        return False

    def _until_due(self, asked_at: float) -> float:
        tip = self._walk.chain.tip
        hint, self._hint = self._hint, None
        if tip is None:
            return self._poll_interval
        self._block_time.found(tip.number, asked_at, announced=hint is not None)
        # A node may tell of a head before it has it.
        told_of_another = hint is not None and hint.hash != tip.hash
        return self._poll_interval if told_of_another else self._block_time.delay(_now())

    async def _attend(self) -> None:
        # Before the first block there is nothing to place an answer in, and while the
        # source is down there is none.
        if self._walk.chain.tip is None or self._outage.lasts:
            return
        try:
            await self._questions.fresh(self._walk.chain)
        except SourceError as error:
            # The next poll that succeeds takes up the rest.
            self._outage.failed(error, self._poll_interval)
        else:
            self._attend_soon()

    def _attend_soon(self) -> None:
        if self._records.sweep.has_fresh and not self._attending:
            self._attending = True
            process.send(self.pid, CheckNewTransactions())

    def _poll_after(self, seconds: float) -> None:
        if self._next_poll is not None:
            process.cancel_timer(self._next_poll)
        self._next_poll = process.send_after(self.pid, Poll(), seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
