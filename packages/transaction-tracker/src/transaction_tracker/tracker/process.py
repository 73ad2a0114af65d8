"""The tracker: the process of one transaction, from its registration to its final state."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from beamish import (
    AlreadyStartedError,
    Continue,
    DynamicSupervisor,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    NotFoundError,
    Pid,
    Stop,
    call,
    cast,
)
from transaction_tracker.domain import (
    STATES,
    UNCHANGED,
    Abandoned,
    AmbiguousIdError,
    Details,
    Event,
    NotTrackedError,
    Observation,
    ParkedError,
    Registration,
    RegistrationChange,
    Required,
    State,
    Tracked,
    Unchanged,
    UnknownSourceError,
    caip_id,
    decide,
)
from transaction_tracker.store import Step, Store
from transaction_tracker.store.details import read as read_details
from transaction_tracker.store.pages import transaction_page
from transaction_tracker.tracker.arguments import metadata_text, named, registration_change
from transaction_tracker.tracker.context import (
    CheckTransaction,
    RegistrationChanged,
    TrackerContext,
    TransactionUntracked,
)
from transaction_tracker.tracker.places import locate, locate_followed, locate_key, places

Until = State | Literal["terminal"]

# A tracker that does not answer delays a block; after this time, the follower decides for it.
_OBSERVE_SECONDS = 1.0
_RESTART_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class WaitForState:
    """A request: reply once the transaction has reached a state."""

    until: Until


@dataclass(frozen=True, slots=True)
class CancelWait:
    """A cast: forget a request whose caller no longer waits."""

    request: WaitForState


class TransactionTracker(GenServer, restart="transient"):
    """Track one transaction until its state is final.

    The store holds all durable state: a restarted tracker reads its row. The tracker decides
    which transitions follow from facts; it takes over the new state once it is stored.
    """

    # There can be a million trackers.
    __slots__ = ("_waiters", "ended", "tracked")

    def __init__(self, transaction: str, label: str | None = None) -> None:
        stored = TrackerContext.current(label).open_transactions.get(transaction)
        self.ended: bool = stored is None
        self.tracked: Tracked = stored or Tracked(transaction, required=0)
        self._waiters: tuple[tuple[WaitForState, From], ...] = ()

    @classmethod
    async def start(
        cls,
        transaction: str | None = None,
        *,
        raw: str | None = None,
        rebroadcast: bool | None = None,
        confirmations: Required | None = None,
        deadline: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        expect: Mapping[str, object] | None = None,
    ) -> Pid:
        """Track a transaction until its state is final; survives restarts of the program.

        Returns once the registration is stored. Idempotent: if the transaction is already
        tracked, returns the running tracker and ignores the other arguments. A parked or
        untracked transaction gets a new tracker. For a finished transaction, the returned
        process exits at once; ``status`` and ``wait`` still work and read the store.

        Args:
            transaction: Transaction id, as the source defines it (Ethereum: the hash, or
                ``sender:nonce`` for whichever transaction of the sender has this nonce). With
                several sources, the chain id before it says which one: ``eip155:1:0x…``.
            raw: Raw signed transaction in hexadecimal, in place of ``transaction``: its hash, slot
                and details are known at once. The chain that it is signed for says which source.
            rebroadcast: Whether ``raw`` is sent again while no provider has it. Default: the
                setting of the source.
            confirmations: Number of confirmations that make the state final, or ``"safe"`` or
                ``"finalized"``. Default: the application's setting, or more if one of its rules
                requires it once the amount is known.
            deadline: Time in Unix seconds. A transaction that is not in a block by then
                becomes ``expired``. Default: the application's setting.
            metadata: JSON object of at most 4 KiB, returned with each event and by the API.
            expect: What the payment must be: each event says whether it is. Addresses ``from``,
                ``to`` and ``token``; ``value`` or ``min_value``, an integer in the smallest unit of
                the coin (wei) or the token.

        Returns:
            The pid of the tracker.

        Raises:
            InvalidTransactionError: ``transaction`` is not a valid id for the source, or ``raw`` is
                not a valid transaction of it.
            AmbiguousIdError: Several sources have such ids: put the chain id before it.
            ValueError: Another argument is invalid.
            NoProcessError: The application is not running. Or the source is paused or does not
                run: then the registration is stored, and its tracker starts with the source.
        """
        registration = cls.registration(
            transaction,
            raw=raw,
            rebroadcast=rebroadcast,
            confirmations=confirmations,
            deadline=deadline,
            metadata=metadata,
            expect=expect,
        )
        context = _context_of(registration)
        running = context.tracker(registration.id)
        # A tracker can still run although its transaction is final, until it handles the last
        # message. It must not be returned before the registration has reached the store.
        if running is not None and context.open_transactions.get(registration.id) is not None:
            return running
        await Store.register([registration])
        return await cls._start_child(context, registration.id)

    @classmethod
    async def start_many(cls, registrations: Sequence[Registration]) -> list[Tracked]:
        """Track many transactions; store all registrations in one database transaction.

        Args:
            registrations: Results of ``registration``.

        Returns:
            The stored state of each transaction, in the same order.
        """
        rows = await Store.register(registrations)
        stored = {(tracked.source, tracked.id): tracked for tracked in rows}
        for tracked in stored.values():
            context = TrackerContext.of(tracked)
            if not tracked.final and context.tracker(tracked.id) is None:
                # A source that is paused or does not run starts its trackers when it starts.
                with suppress(NoProcessError):
                    await cls._start_child(context, tracked.id)
        return [stored[each.source, each.id] for each in registrations]

    @staticmethod
    def registration(
        transaction: str | None = None,
        *,
        raw: str | None = None,
        rebroadcast: bool | None = None,
        confirmations: Required | None = None,
        deadline: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        expect: Mapping[str, object] | None = None,
    ) -> Registration:
        """Check the arguments of ``start``, and fill in the settings of the source."""
        place, known = named(transaction, raw)
        context = place.context
        if deadline is None and context.expires_after is not None:
            deadline = time.time() + context.expires_after
        sends = raw is not None and context.sends(raw, rebroadcast)
        required, required_by = context.chosen(confirmations, known)
        return Registration(
            place.id,
            required,
            deadline,
            metadata_text(metadata or {}),
            context.expectation(expect),
            context.slot(place.id),
            known,
            raw if sends else None,
            context.source.name,
            place.given,
            required_by,
        )

    @classmethod
    async def reopen(cls, tracked: Tracked) -> None:
        """Start the tracker of a transaction that is open again, or was found in a block."""
        await cls._start_child(TrackerContext.of(tracked), tracked.id)

    @staticmethod
    async def park(tracked: Tracked, error: str) -> None:
        """Park a transaction that no provider returns readable data about: stop its tracker.

        Args:
            tracked: The transaction.
            error: The reason, with the provider and the field.
        """
        context = TrackerContext.of(tracked)
        pid = context.tracker(tracked.id)
        if pid is not None:
            with suppress(NotFoundError):  # it has stopped meanwhile
                await DynamicSupervisor.terminate_child(context.names.supervisor, pid)
        Store.park(tracked.key, error)

    @classmethod
    async def track_replacement(cls, loser: Tracked) -> None:
        """Track the transaction that repriced ``loser``, if ``follow_repriced`` is set."""
        repriced = loser.state == "superseded" and loser.reason == "repriced"
        if not repriced or loser.superseded_by is None:
            return
        if TrackerContext.of(loser).follow_repriced:
            winner = cls.registration(
                caip_id(loser.source, loser.superseded_by),
                confirmations=loser.required,
                deadline=loser.deadline,
            )
            # Its id is registered in the form of the loser's id.
            given = None if loser.given is None else winner.given
            await cls.start_many([replace(winner, given=given, required_by=loser.required_by)])

    @staticmethod
    async def untrack(transaction: str) -> Tracked:
        """Stop tracking a transaction; no effect on a finished one.

        Returns:
            The stored state.

        Raises:
            NotTrackedError: The transaction was never registered.
        """
        context, key = await locate_followed(transaction)
        while True:
            tracked = await _load(key)
            events = decide(tracked, (Abandoned(),))
            if not events:
                return tracked
            stored = await Store.commit(Step(context.source.name, events))
            if stored.events:
                GenServer.cast(context.names.follower, TransactionUntracked(tracked.id))
                return events[-1].tracked
            # A block changed the transaction meanwhile, so the step was not written: retry from
            # the new state.

    @staticmethod
    async def change(
        transaction: str,
        *,
        confirmations: Required | Unchanged = UNCHANGED,
        deadline: float | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, Any] | Unchanged = UNCHANGED,
        expect: Mapping[str, object] | Unchanged | None = UNCHANGED,
    ) -> Tracked:
        """Change what is required of a transaction that has not ended.

        Returns once the change is stored. Reported events stay as they are; the next ones contain
        the new values. If the transaction has the new number of confirmations already, it ends
        with the next check of its block.

        Args:
            transaction: The transaction id.
            confirmations: Number of confirmations that make the state final, or ``"safe"`` or
                ``"finalized"``. Default: unchanged.
            deadline: Time in Unix seconds; ``None`` removes the deadline. Default: unchanged.
            metadata: JSON object of at most 4 KiB, in place of the previous one. Default:
                unchanged.
            expect: What the payment must be, in place of the previous expectation, as in ``start``;
                ``None`` removes it. Default: unchanged.

        Returns:
            The stored state.

        Raises:
            NotTrackedError: The transaction was never registered.
            EndedError: The transaction has ended.
            ValueError: An argument is invalid, or nothing is changed.
        """
        context, key = await locate_followed(transaction)
        change = registration_change(
            context,
            confirmations=confirmations,
            deadline=deadline,
            metadata=metadata,
            expect=expect,
        )
        return await TransactionTracker.apply_change(key, change)

    @staticmethod
    async def apply_change(key: str, change: RegistrationChange) -> Tracked:
        """Store a checked change; see ``change``.

        Args:
            key: The transaction id, as it was registered.
            change: The change.

        Raises:
            UnknownSourceError: The source of the transaction is no longer configured.
        """
        context = TrackerContext.of(await _load(key))
        tracked = await Store.change(key, change, context.min_confirmations)
        # The store has updated the tracker. The follower reads the deadline and the required depth
        # again; one that is being restarted reads them when it starts.
        GenServer.cast(context.names.follower, RegistrationChanged(tracked.id))
        return tracked

    @classmethod
    async def recheck(cls, transaction: str) -> Tracked:
        """Ask the source about a transaction soon, and return its current state.

        A parked transaction gets a new tracker, which asks the source when it starts.

        Raises:
            NotTrackedError: The transaction was never registered.
        """
        tracked = await cls.status(transaction)
        if tracked.error is not None:
            # With the chain id: the id as it was registered can fit several sources now.
            await cls.start(tracked.caip_id)
        elif not tracked.final:
            follower = TrackerContext.of(tracked).names.follower
            GenServer.cast(follower, CheckTransaction(tracked.id))
        return tracked

    @classmethod
    async def start_all_pending(cls, label: str | None = None) -> int:
        """Start the trackers of all stored transactions of a source that are not final.

        The application calls this when it starts.

        Args:
            label: Name of the source in the configuration; ``None`` for the only source.

        Returns:
            The number of trackers that were started; running ones are not counted.
        """
        context = TrackerContext.current(label)
        children = await DynamicSupervisor.which_children(context.names.supervisor)
        # Includes children that are being restarted, so they are not started twice.
        supervised = {child.id for child in children}
        waiting = [
            tracked.id
            for tracked in context.open_transactions
            if context.via(tracked.id) not in supervised
        ]
        for key in waiting:
            await cls._start_child(context, key)
        return len(waiting)

    @classmethod
    async def _start_child(cls, context: TrackerContext, transaction: str) -> Pid:
        arguments = [transaction] if context.label is None else [transaction, context.label]
        spec = cls.child_spec(*arguments, name=context.via(transaction))
        try:
            return await DynamicSupervisor.start_child(context.names.supervisor, spec)
        except AlreadyStartedError as error:
            running: Pid = error.pid
            return running

    @staticmethod
    def lookup(transaction: str) -> Pid | None:
        """Return the pid of a transaction's tracker, or ``None``.

        A transaction that is finished or was never registered has no tracker, and neither has one
        whose tracker is being restarted.
        """
        running = {
            place.caip_id: pid
            for place in places(transaction)
            if (pid := place.context.tracker(place.id)) is not None
        }
        if len(running) > 1:
            raise AmbiguousIdError(transaction, list(running))
        return next(iter(running.values()), None)

    @classmethod
    async def status(cls, transaction: str) -> Tracked:
        """Return the current state of a transaction, also of a finished one.

        Raises:
            NotTrackedError: The transaction was never registered.
        """
        found = places(transaction)
        # Of several, another one can be finished: only the store knows all of them.
        running = found[0].context.tracker(found[0].id) if len(found) == 1 else None
        if running is not None:
            with suppress(ExitError):  # it has stopped meanwhile
                return await cls.report(running)
        # The transaction is finished, or its tracker is being restarted.
        _, key = await locate(transaction)
        return await _load(key)

    @classmethod
    async def wait(
        cls, transaction: str, *, until: Until = "terminal", timeout: float | None = None
    ) -> Tracked:
        """Wait until a transaction is in a state or finished.

        Args:
            transaction: Id of a registered transaction.
            until: A state, or ``"terminal"`` for any final state or ``"dropped"``. A final state
                ends the wait in any case.
            timeout: Seconds. Default: no limit.

        Returns:
            The state that ended the wait.

        Raises:
            TimeoutError: The transaction did not reach the state in time.
            NotTrackedError: The transaction was never registered.
            ParkedError: The transaction is parked.
            ValueError: ``until`` is not a state.
        """
        if until not in (*STATES, "terminal"):
            raise ValueError(f"until must be 'terminal' or one of {STATES}, got {until!r}")
        async with asyncio.timeout(timeout):
            context, key = await locate(transaction)
            while True:
                tracked = await _wait_for_state(context, key, until)
                if _reached(tracked, until):
                    return tracked
                if tracked.error is not None and context.tracker(tracked.id) is None:
                    raise ParkedError(key, tracked.error)
                # The tracker crashed and is being restarted.
                await asyncio.sleep(_RESTART_PAUSE_SECONDS)

    @staticmethod
    async def details(transaction: str) -> Details:
        """Return who paid whom how much, as far as it is known; of a long list, 100 transfers.

        Raises:
            NotTrackedError: The transaction was never registered.
        """
        key = await locate_key(transaction)
        kept = await Store.run(partial(transaction_page, transaction=key))
        if kept is None:
            raise NotTrackedError(key)
        return read_details(kept.details)

    @staticmethod
    def confirmations(tracked: Tracked) -> int:
        """Return the current number of confirmations; 0 while the transaction is in no block."""
        if tracked.anchor is None:
            return 0
        try:
            tip = TrackerContext.of(tracked).open_transactions.tip
        except UnknownSourceError:
            return 0
        if tip is None:
            return 0
        return max(0, tip.number - tracked.anchor.number + 1)

    def init(self) -> Continue | None:
        """Ask the source about the transaction, unless a block decided its state already."""
        if self.ended:
            return Continue("end")
        if not self.tracked.waits_for_depth:
            follower = TrackerContext.of(self.tracked).names.follower
            GenServer.cast(follower, CheckTransaction(self.tracked.id))
        return None

    def handle_continue(self, _arg: object) -> Stop:
        """Stop, because the transaction is finished."""
        return Stop("normal")

    @call
    def report(self) -> Tracked:
        """Return the current state of the transaction."""
        return self.tracked

    @call(timeout=_OBSERVE_SECONDS)
    def observe(self, facts: tuple[Observation, ...]) -> tuple[Event, ...]:
        """Return the events that follow from facts; the state changes once they are stored."""
        return decide(self.tracked, facts, TrackerContext.of(self.tracked).policy)

    @cast
    def settle(self, tracked: Tracked) -> Stop | None:
        """Take over the stored state; stop if it is final."""
        if tracked.version < self.tracked.version:
            return None
        self.tracked = tracked
        self._answer_waiters()
        return Stop("normal") if tracked.final else None

    def handle_call(self, request: object, from_: From) -> Any:
        """Reply at once, or when the transaction has reached the requested state."""
        if not isinstance(request, WaitForState):
            return super().handle_call(request, from_)
        if _reached(self.tracked, request.until):
            return self.tracked
        self._waiters += ((request, from_),)
        return NoReply()

    def handle_cast(self, request: object) -> None:
        """Forget the request of a caller that no longer waits."""
        if isinstance(request, CancelWait):
            cancelled = request.request
            self._waiters = tuple(waiter for waiter in self._waiters if waiter[0] is not cancelled)
        else:
            super().handle_cast(request)

    def _answer_waiters(self) -> None:
        waiting, self._waiters = self._waiters, ()
        for request, from_ in waiting:
            if _reached(self.tracked, request.until):
                GenServer.reply(from_, self.tracked)
            else:
                self._waiters += ((request, from_),)


def _reached(tracked: Tracked, until: Until) -> bool:
    if until == "terminal":
        return tracked.ended
    return tracked.final or tracked.state == until


async def _wait_for_state(context: TrackerContext, key: str, until: Until) -> Tracked:
    request = WaitForState(until)
    tracker = context.via(context.identify(key))
    try:
        reached: Tracked = await GenServer.call(tracker, request, timeout=None)
    except ExitError:
        return await _load(key)
    except asyncio.CancelledError:  # usually by a timeout
        GenServer.cast(tracker, CancelWait(request))
        raise
    return reached


def _context_of(registration: Registration) -> TrackerContext:
    return next(
        context for context in TrackerContext.all() if context.source.name == registration.source
    )


async def _load(key: str) -> Tracked:
    tracked = await Store.fetch(key)
    if tracked is None:
        raise NotTrackedError(key)
    return tracked
