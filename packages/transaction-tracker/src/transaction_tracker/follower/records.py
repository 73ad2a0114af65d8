"""What follows from facts: trackers decide, the store writes, everyone is put where they belong."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from beamish import ExitError
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
from transaction_tracker.store import OpenTransactions, Step, Store, Stored
from transaction_tracker.tracker import TransactionTracker, via

_NOTED_AT_ONCE = 5_000

logger = logging.getLogger("transaction_tracker")


class Records:
    """Turns facts into stored transitions, and keeps track of who is to be looked for where.

    Args:
        open_transactions: The transactions that are not final, in memory.
        policy: When waiting becomes news.
        sweep: When to ask about those that no block tells of; the usual times unless given.

    Attributes:
        policy: When waiting becomes news.
        agenda: Those that a block has decided, by block and by height.
        sweep: Those that are asked about one by one.
        deadlines: Those that expire some day.
    """

    def __init__(
        self, open_transactions: OpenTransactions, policy: Policy, sweep: Sweep | None = None
    ) -> None:
        self._open_transactions = open_transactions
        self.policy = policy
        self.agenda = Agenda()
        self.sweep = Sweep() if sweep is None else sweep
        self.deadlines = Deadlines()
        self._ended: list[Callable[[str], None]] = []

    def on_end(self, forget: Callable[[str], None]) -> None:
        """Call ``forget`` with the id of each transaction that has ended, or is untracked.

        For what is kept about open transactions elsewhere: one that is registered again must not
        meet what was kept of it before.
        """
        self._ended.append(forget)

    async def take_up(self) -> None:
        """Put all open transactions where they belong."""
        # A copy: new ones may come while this lets others run, and say so themselves.
        for number, tracked in enumerate(list(self._open_transactions)):
            self._note(tracked)
            if number % _NOTED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def decide(self, facts: Facts) -> tuple[Event, ...]:
        """Let the trackers decide what the facts make of their transactions."""
        events: list[Event] = []
        for key, observations in facts.items():
            events += await self._decision(key, observations)
        return tuple(events)

    def decide_ended(
        self, ended: Iterable[Tracked], observations: tuple[Observation, ...]
    ) -> tuple[Event, ...]:
        """Decide what facts make of transactions that have ended, and have no tracker."""
        return tuple(event for one in ended for event in decide(one, observations, self.policy))

    async def commit(self, step: Step) -> Stored:
        """Store a step, and look for its transactions where they are to be looked for now."""
        if step == Step(step.source):
            return Stored()
        stored = await Store.commit(step)
        await self.take_over(stored)
        return stored

    async def take_over(self, stored: Stored) -> None:
        """Look for stored transactions where they are to be looked for now, and tell of events."""
        for tracked in stored.rows:
            self._note(tracked)
        for event in stored.events:
            await self._tell(event)

    async def _decision(self, key: str, observations: tuple[Observation, ...]) -> tuple[Event, ...]:
        try:
            return await TransactionTracker.observe(via(key), observations)
        except ExitError:
            # It is being restarted, or stuck. The block goes by once: the same rules
            # decide here, and the tracker finds its row moved on.
            return self._decide_for(key, observations)

    def _decide_for(self, key: str, observations: tuple[Observation, ...]) -> tuple[Event, ...]:
        tracked = self._open_transactions.get(key)
        try:
            return () if tracked is None else decide(tracked, observations, self.policy)
        except Exception:  # whatever a poison transaction raises: the others go on
            logger.exception("nothing could be decided for %s", key)
            return ()

    async def _tell(self, event: Event) -> None:
        if event.previous in TERMINAL and not event.tracked.final:
            # It had ended, and its tracker with it.
            await TransactionTracker.reopen(event.tracked.id)
        elif event.tracked.state == "missing" != event.previous:
            self.sweep.again(event.tracked.id, _now())
        await TransactionTracker.track_replacement(event.tracked)

    def forget(self, transaction: str) -> None:
        """Look for a transaction no more, unless it was started again since that was asked for."""
        tracked = self._open_transactions.get(transaction)
        if tracked is not None:
            self._note(tracked)
            return
        self.agenda.forget(transaction)
        self.deadlines.forget(transaction)
        self.sweep.forget(transaction)
        self._has_ended(transaction)

    def _has_ended(self, transaction: str) -> None:
        for forget in self._ended:
            forget(transaction)

    def _note(self, tracked: Tracked) -> None:
        """Put a transaction where it is looked for from now on."""
        if tracked.final:
            self._has_ended(tracked.id)
        self.agenda.note(tracked)
        self.deadlines.note(tracked)
        if "status_unknown" in tracked.flags and not tracked.final:
            # Another provider, or the same one later, may have a receipt with a status.
            self.sweep.add(tracked.id, _now())
        elif not tracked.unplaced:
            self.sweep.forget(tracked.id)
        elif tracked.state == "registered" and tracked.id not in self.sweep:
            self.sweep.add_fresh(tracked.id)
        else:
            self.sweep.add(tracked.id, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
