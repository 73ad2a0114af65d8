"""The follower: follows the head of one chain, and asks about single transactions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from beamish import Continue, GenServer, Ref, process
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import DepositRules, Policy, Required
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.follower.block_time import BlockTime
from transaction_tracker.follower.budget import Budget
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.follower.outage import Outage
from transaction_tracker.follower.questions import Questions
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.undecided import Undecided
from transaction_tracker.follower.walk import Walk
from transaction_tracker.providers import HeadHint
from transaction_tracker.sources import ChainSource, SourceError
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import (
    REGISTRY,
    CheckTransaction,
    RegistrationChanged,
    TransactionUntracked,
)


@dataclass(frozen=True, slots=True)
class Poll:
    """Message: ask the source for the head."""


@dataclass(frozen=True, slots=True)
class CheckNewTransactions:
    """Message: ask the source about transactions that were registered a short time ago."""


class Follower(GenServer):
    """Follow the head of one chain.

    A head is never broadcast. A tracker gets facts only about blocks that contain its transaction
    or a rival, about heights that make its state final, and about blocks that were undone.

    Each block is one step of the store. Blocks and questions about single transactions are handled
    one after another, so that no block is applied between a question and its answer.

    Args:
        source: The source of the blocks.
        open_transactions: The transactions that are not final, in memory.
        policy: Time limits for transactions in no block.
        status: Records the progress.
        poll_interval: Seconds between requests for the head while a block is due.
        keep: Number of blocks to keep for reorganisations.
        sweep_budget: Maximum number of calls about single transactions in one batch per block.
        block_time: Returns the seconds between blocks, which can change.
        registry: Name of the registry of the trackers.
        rules: Which payments to watched addresses become tracked transactions.
        required: What makes the states of these final, if their address says nothing else.
        shard: The shard that this service is, if it is one of several.
        checker: Name of the process that compares the transfers of applied blocks. Default: none.
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
        registry: str = REGISTRY,
        rules: DepositRules,
        required: Required,
        shard: Shard | None = None,
        checker: str | None = None,
    ) -> None:
        self._source = source
        self._poll_interval = poll_interval
        self._records = Records(open_transactions, policy, registry=registry)
        self._status = status
        deposits = Deposits(source, open_transactions, rules, required, policy, shard, checker)
        self._walk = Walk(
            source, open_transactions, self._records, status, keep, block_time, deposits
        )
        look_ups, undecided = self._walk.look_ups, Undecided(status)
        self._questions = Questions(
            source, open_transactions, look_ups, self._records, policy, undecided, sweep_budget
        )
        self._outage = Outage()
        self._block_time = BlockTime(poll_interval)
        self._hint: HeadHint | None = None
        self._scheduled = False
        self._budget = Budget()
        self._counted = source.requests
        self._next_poll: Ref | None = None

    async def init(self) -> Continue:
        """Load the stored blocks and the open transactions."""
        await self._walk.resume()
        await self._records.load()
        if self._status.has_begun:  # this process was restarted
            await self._records.start_trackers()
        return Continue(Poll())

    async def handle_continue(self, _arg: object) -> None:
        """Poll for the first time."""
        await self._poll()

    def handle_cast(
        self, request: CheckTransaction | RegistrationChanged | TransactionUntracked
    ) -> None:
        """Schedule a question about a transaction, or take over its change or its end."""
        match request:
            case CheckTransaction(transaction):
                self._records.sweep.add_fresh(transaction)
                self._schedule_new()
            case RegistrationChanged(transaction):
                self._records.changed(transaction)
            case TransactionUntracked(transaction):
                self._records.forget(transaction)

    async def handle_info(self, message: object) -> None:
        """Poll the head, at once after a hint, and ask about new transactions."""
        match message:
            case Poll():
                await self._poll()
            case HeadHint() if not self._outage.lasts:
                # The hint is not trusted: it only moves the next poll forward.
                self._hint = message
                self._poll_after(0.0)
            case HeadHint():
                pass
            case CheckNewTransactions():
                self._scheduled = False
                await self._ask_about_new()
            case _:
                super().handle_info(message)

    async def _poll(self) -> None:
        asked_at = loop_time()
        try:
            delay = 0.0 if await self._advance() else self._seconds_until_due(asked_at)
            self._outage.over()
        except SourceError as error:
            self._status.failed(error)
            delay = self._outage.failed(error, self._poll_interval)
        self._schedule_new()
        self._poll_after(delay)

    async def _advance(self) -> bool:
        """Apply blocks up to the head, then ask about single transactions.

        Returns:
            Whether there are more blocks to apply.
        """
        tip = self._walk.chain.tip
        if await self._walk.advance():
            return True
        # A large block was freed just now, and the sweep skips the turns of its transactions next.
        # Each takes some ms, so other tasks can run in between.
        await asyncio.sleep(0)
        # Since the last poll: this includes the requests of the questions after that poll.
        total = self._source.requests
        requests, self._counted = total - self._counted, total
        self._questions.note_tags(self._walk.reported_tags)
        room = self._budget.poll(requests, is_new=tip != self._walk.chain.tip)
        if self._questions.has_late and self._budget.for_deadlines(room=room):
            await self._questions.late(self._walk.chain)
        elif room:
            await self._questions.due(self._walk.chain)
        return False

    def _seconds_until_due(self, asked_at: float) -> float:
        tip = self._walk.chain.tip
        hint, self._hint = self._hint, None
        if tip is None:
            return self._poll_interval
        self._block_time.found(tip.number, asked_at, announced=hint is not None)
        # A node can announce a head before it can return it.
        announced_another = hint is not None and hint.hash != tip.hash
        return self._poll_interval if announced_another else self._block_time.delay(loop_time())

    async def _ask_about_new(self) -> None:
        # Without a block, the height that a provider must have reached is unknown. During an
        # outage, the next successful poll schedules these questions again.
        if self._walk.chain.tip is None or self._outage.lasts:
            return
        try:
            await self._questions.new(self._walk.chain)
        except SourceError as error:
            # The next poll schedules the remaining questions again.
            self._outage.failed(error, self._poll_interval)
        else:
            self._schedule_new()

    def _schedule_new(self) -> None:
        if self._records.sweep.has_fresh and not self._scheduled:
            self._scheduled = True
            process.send(self.pid, CheckNewTransactions())

    def _poll_after(self, seconds: float) -> None:
        if self._next_poll is not None:
            process.cancel_timer(self._next_poll)
        self._next_poll = process.send_after(self.pid, Poll(), seconds)
