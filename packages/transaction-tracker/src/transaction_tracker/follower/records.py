"""From facts to stored events: trackers decide, the store writes, the schedules are updated."""

import logging
from collections.abc import Callable, Iterable

from beamish import ExitError, Registry
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import (
    TERMINAL,
    Agenda,
    Deadlines,
    Event,
    Observation,
    Policy,
    Sweep,
    Tracked,
    decide,
)
from transaction_tracker.follower.evidence import Facts
from transaction_tracker.slices import Slices
from transaction_tracker.store import OpenTransactions, Step, Store, Stored
from transaction_tracker.tracker import REGISTRY, TrackerContext, TransactionTracker, via

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Records:
    """Turns facts into stored transitions, and schedules when each transaction is checked next.

    Args:
        open_transactions: The transactions that are not final, in memory.
        policy: Time limits for transactions in no block.
        sweep: Schedule of the questions about single transactions. Default: one with the default
            delays.
        registry: Name of the registry of the trackers.

    Attributes:
        policy: Time limits for transactions in no block.
        agenda: Transactions that wait for depth, by block and by height.
        sweep: Transactions that the source is asked about one by one.
        deadlines: Transactions in no block that have a deadline.
    """

    def __init__(
        self,
        open_transactions: OpenTransactions,
        policy: Policy,
        sweep: Sweep | None = None,
        registry: str = REGISTRY,
    ) -> None:
        self._open_transactions = open_transactions
        self._registry = registry
        self.policy = policy
        self.agenda: Agenda = Agenda()
        self.sweep: Sweep = Sweep() if sweep is None else sweep
        self.deadlines: Deadlines = Deadlines()
        self._end_listeners: list[Callable[[str], None]] = []

    def on_end(self, forget: Callable[[str], None]) -> None:
        """Call ``forget`` with the id of each transaction that becomes final or is untracked.

        For data about open transactions that is kept elsewhere. Without this, a transaction that
        is registered again would inherit the data of its earlier registration.
        """
        self._end_listeners.append(forget)

    async def load(self) -> None:
        """Schedule all open transactions."""
        # A copy: transactions can be registered while other tasks run. The follower gets a message
        # about each of them.
        async for part in Slices(list(self._open_transactions)):
            now = loop_time()
            for tracked in part:
                self._note(tracked, now)

    async def start_trackers(self) -> None:
        """Start the trackers of transactions that were found in a block shortly before a crash."""
        context: TrackerContext = Registry.meta(self._registry, TrackerContext.KEY)
        await TransactionTracker.start_all_pending(context.label)

    async def decide(self, facts: Facts) -> tuple[Event, ...]:
        """Return the events that the trackers decide from facts.

        Nothing changes until the events are stored, all in one step: a follower that stops between
        two slices of a block decides the whole block again.
        """
        events: list[Event] = []
        async for part in Slices(facts.items()):
            for key, observations in part:
                events += await self._decide_by_tracker(key, observations)
        return tuple(events)

    def decide_ended(
        self, ended: Iterable[Tracked], observations: tuple[Observation, ...]
    ) -> tuple[Event, ...]:
        """Return the events that follow from facts for final transactions: they have no tracker."""
        return tuple(
            event for tracked in ended for event in decide(tracked, observations, self.policy)
        )

    async def commit(self, step: Step) -> Stored:
        """Store a step, unless it is empty, and update the schedules of its transactions."""
        if step == Step(step.source):
            return Stored()
        stored = await Store.commit(step)
        await self.take_over(stored)
        return stored

    async def take_over(self, stored: Stored) -> None:
        """Update the schedules of stored transactions, and handle their events."""
        async for rows in Slices(stored.started):
            for tracked in rows:
                await TransactionTracker.reopen(tracked)
        async for rows in Slices(stored.rows):
            now = loop_time()
            for tracked in rows:
                self._note(tracked, now)
        async for events in Slices(stored.events):
            for event in events:
                await self._handle_event(event)

    async def _decide_by_tracker(
        self, key: str, observations: tuple[Observation, ...]
    ) -> tuple[Event, ...]:
        try:
            return await TransactionTracker.observe(via(key, self._registry), observations)
        except ExitError:
            # The tracker is being restarted, or is stuck. The block is applied only once, so the
            # same rules decide here; the tracker takes over the stored state afterwards.
            return self._decide_directly(key, observations)

    def _decide_directly(
        self, key: str, observations: tuple[Observation, ...]
    ) -> tuple[Event, ...]:
        tracked = self._open_transactions.get(key)
        try:
            return () if tracked is None else decide(tracked, observations, self.policy)
        except Exception:  # one transaction whose facts raise must not stop all others
            logger.exception("could not decide the state of %s", key)
            return ()

    async def _handle_event(self, event: Event) -> None:
        if event.previous in TERMINAL and not event.tracked.final:
            # The tracker stopped when the transaction became final.
            await TransactionTracker.reopen(event.tracked)
        elif event.tracked.state == "missing" != event.previous:
            self.sweep.again(event.tracked.id, loop_time())
        await TransactionTracker.track_replacement(event.tracked)

    def changed(self, transaction: str) -> None:
        """Schedule a transaction again, because its depth or its deadline was changed."""
        tracked = self._open_transactions.get(transaction)
        if tracked is not None:
            self._note(tracked, loop_time())

    def forget(self, transaction: str) -> None:
        """Forget an untracked transaction; if it is registered again already, schedule it."""
        tracked = self._open_transactions.get(transaction)
        if tracked is not None:
            self._note(tracked, loop_time())
            return
        self.agenda.forget(transaction)
        self.deadlines.forget(transaction)
        self.sweep.forget(transaction)
        self._call_listeners(transaction)

    def _call_listeners(self, transaction: str) -> None:
        for forget in self._end_listeners:
            forget(transaction)

    def _note(self, tracked: Tracked, now: float) -> None:
        """Schedule a transaction by its state; ``now`` is the time of the event loop."""
        if tracked.final:
            self._call_listeners(tracked.id)
        self.agenda.note(tracked)
        self.deadlines.note(tracked)
        if "status_unknown" in tracked.flags and not tracked.final:
            # Another provider, or the same one later, can have a receipt with a status.
            self.sweep.add(tracked.id, now)
        elif not tracked.unplaced:
            self.sweep.forget(tracked.id)
        elif tracked.state == "registered" and tracked.id not in self.sweep:
            self.sweep.add_fresh(tracked.id)
        else:
            self.sweep.add(tracked.id, now)
