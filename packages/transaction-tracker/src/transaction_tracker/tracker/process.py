"""The tracker: one process for one transaction, from its registration to its end."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from beamish import (
    AlreadyStartedError,
    Continue,
    DynamicSupervisor,
    ExitError,
    From,
    GenServer,
    NoReply,
    NotFoundError,
    Pid,
    Registry,
    Stop,
    call,
    cast,
)
from transaction_tracker.domain import (
    STATES,
    Abandoned,
    Event,
    NotTrackedError,
    Observation,
    ParkedError,
    Registration,
    Required,
    State,
    Tracked,
    decide,
)
from transaction_tracker.store import Step, Store
from transaction_tracker.tracker.context import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    Ask,
    Context,
    Forget,
    via,
)

Until = State | Literal["terminal"]

# A tracker that is late with its answer holds up a block: it is told again, or decided for.
_OBSERVE_SECONDS = 1.0
_RESTART_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reach:
    """A request: answer when the transaction has come this far."""

    until: Until
    asked: object = field(default_factory=object)


@dataclass(frozen=True, slots=True)
class Leave:
    """Who asked for this waits no more."""

    asked: object


class TransactionTracker(GenServer, restart="transient"):
    """Follow one transaction until its state is final.

    What outlives the process is in the store: a restarted tracker reads its row and
    goes on. It decides what the facts make of its transaction, and takes the new state
    over once the store has written it.
    """

    def __init__(self, transaction: str) -> None:
        stored = Context.current().book.get(transaction)
        self.ended = stored is None
        self.tracked = stored or Tracked(transaction, required=0)
        self._waiters: tuple[tuple[Reach, From], ...] = ()

    @classmethod
    async def start(
        cls,
        transaction: str,
        *,
        confirmations: Required | None = None,
        deadline: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Pid:
        """Follow a transaction, for ever if need be, also over restarts of the program.

        Returns once it is stored. Started again, it gives the tracker that already
        follows it, as it is. One that has ended needs no tracker: the process that is given
        then ends at once, and ``status`` and ``wait`` answer from the store. One that was
        parked or untracked gets a new tracker.

        Args:
            transaction: Its id at the source.
            confirmations: What makes its state final: blocks, ``"safe"`` or
                ``"finalized"``; ``None`` takes the application's setting.
            deadline: Unix seconds: in no block then, it has expired; ``None`` takes the
                application's setting.
            metadata: What is to come back with each event, and with what the API tells; JSON,
                at most 4 KiB.

        Raises:
            InvalidTransactionError: It is no transaction id of the source.
            ValueError: Another argument cannot be; the message names it.
            NoProcessError: The application does not run.
        """
        registration = cls.registration(
            transaction, confirmations=confirmations, deadline=deadline, metadata=metadata
        )
        running = Registry.whereis(REGISTRY, registration.id)
        # One whose transaction has just ended, and who has not heard of it yet, follows nothing.
        if running is not None and Context.current().book.get(registration.id) is not None:
            return running
        await Store.register([registration])
        return await cls._start_child(registration.id)

    @classmethod
    async def start_many(cls, registrations: Sequence[Registration]) -> list[Tracked]:
        """Follow many transactions, stored in one go.

        Args:
            registrations: What ``registration`` made.

        Returns:
            What is known of each, in the same order.
        """
        stored = {tracked.id: tracked for tracked in await Store.register(registrations)}
        for tracked in stored.values():
            if not tracked.final and Registry.whereis(REGISTRY, tracked.id) is None:
                await cls._start_child(tracked.id)
        return [stored[registration.id] for registration in registrations]

    @staticmethod
    def registration(
        transaction: str,
        *,
        confirmations: Required | None = None,
        deadline: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Registration:
        """Check what is asked for, and fill in the application's settings; see ``start``."""
        context = Context.current()
        if deadline is None and context.expires_after is not None:
            deadline = time.time() + context.expires_after
        return Registration(
            context.source.identify(transaction),
            context.requirement(confirmations),
            deadline,
            _json(metadata or {}),
        )

    @classmethod
    async def revive(cls, transaction: str) -> None:
        """Start the tracker of a transaction that had ended, and is open again."""
        await cls._start_child(transaction)

    @staticmethod
    async def park(transaction: str, error: str) -> None:
        """Stop the tracker of a transaction that no provider describes in a readable way.

        Args:
            transaction: Its id.
            error: Why, with the provider and the field.
        """
        pid = Registry.whereis(REGISTRY, transaction)
        if pid is not None:
            with suppress(NotFoundError):  # it has just ended
                await DynamicSupervisor.terminate_child(SUPERVISOR, pid)
        Store.park(transaction, error)

    @classmethod
    async def follow_winner(cls, loser: Tracked) -> None:
        """Follow the same payment at another price too, if the application wants that."""
        repriced = loser.state == "superseded" and loser.reason == "repriced"
        if repriced and loser.superseded_by is not None and Context.current().follow_repriced:
            await cls.start(
                loser.superseded_by, confirmations=loser.required, deadline=loser.deadline
            )

    @staticmethod
    async def untrack(transaction: str) -> Tracked:
        """Hear no more of a transaction; one that has ended stays as it is.

        Raises:
            NotTrackedError: It was never started.
        """
        context = Context.current()
        key = context.source.identify(transaction)
        while True:
            tracked = await _stored(key)
            events = decide(tracked, (Abandoned(),))
            if not events:
                return tracked
            stored = await Store.commit(Step(context.source.name, events))
            if stored.events:
                GenServer.cast(FOLLOWER, Forget(key))
                return events[-1].tracked
            # A block came first: begin again from what it made of the transaction.

    @classmethod
    async def recheck(cls, transaction: str) -> Tracked:
        """Have the source asked about a transaction soon, and tell what is known until then.

        One that was parked gets a new tracker, which asks by itself.

        Raises:
            NotTrackedError: It was never started.
        """
        tracked = await cls.status(transaction)
        if tracked.error is not None:
            await cls.start(transaction)
        elif not tracked.final:
            GenServer.cast(FOLLOWER, Ask(tracked.id))
        return tracked

    @classmethod
    async def start_all_pending(cls) -> int:
        """Start the trackers of all stored transactions that have not ended.

        The application does so when it starts.

        Returns:
            How many were started; those that ran already are not counted.
        """
        children = await DynamicSupervisor.which_children(SUPERVISOR)
        # Those between two processes are as good as running.
        cared_for = {child.id for child in children}
        waiting = [one.id for one in Context.current().book if via(one.id) not in cared_for]
        for key in waiting:
            await cls._start_child(key)
        return len(waiting)

    @classmethod
    async def _start_child(cls, key: str) -> Pid:
        try:
            return await DynamicSupervisor.start_child(
                SUPERVISOR, cls.child_spec(key, name=via(key))
            )
        except AlreadyStartedError as error:
            running: Pid = error.pid
            return running

    @staticmethod
    def lookup(transaction: str) -> Pid | None:
        """Give the process that follows the transaction now.

        There is none for a transaction that has ended or was never started, and for a
        moment none for one whose tracker is being restarted.
        """
        return Registry.whereis(REGISTRY, Context.current().source.identify(transaction))

    @classmethod
    async def status(cls, transaction: str) -> Tracked:
        """Tell what is known of a transaction, whether it has ended or not.

        Raises:
            NotTrackedError: It was never started.
        """
        key = Context.current().source.identify(transaction)
        try:
            return await cls.report(via(key))
        except ExitError:  # it has ended, or its tracker is not there at the moment
            return await _stored(key)

    @classmethod
    async def wait(
        cls, transaction: str, *, until: Until = "terminal", timeout: float | None = None
    ) -> Tracked:
        """Wait until a transaction is in a state, or in its last one.

        Args:
            transaction: One that was started, perhaps long ago.
            until: A state, or ``"terminal"`` for whichever is the last, ``"dropped"``
                among them. A final state ends the wait in any case: nothing comes after it.
            timeout: Seconds; ``None`` waits for ever.

        Raises:
            TimeoutError: It did not come so far in time.
            NotTrackedError: It was never started.
            ParkedError: Its tracker was given up.
        """
        if until not in (*STATES, "terminal"):
            raise ValueError(f"until must be 'terminal' or one of {STATES}, got {until!r}")
        key = Context.current().source.identify(transaction)
        async with asyncio.timeout(timeout):
            while True:
                tracked = await _reach(key, until)
                if _reached(tracked, until):
                    return tracked
                if tracked.error is not None and Registry.whereis(REGISTRY, key) is None:
                    raise ParkedError(key, tracked.error)
                # Its tracker crashed and is on its way back.
                await asyncio.sleep(_RESTART_PAUSE_SECONDS)

    @staticmethod
    def confirmations(tracked: Tracked) -> int:
        """Count the confirmations that a transaction has now; none while it is in no block."""
        tip = Context.current().book.tip
        if tracked.anchor is None or tip is None:
            return 0
        return max(0, tip.number - tracked.anchor.number + 1)

    def init(self) -> Continue | None:
        """Ask what is known, when nothing is; the follower knows the rest."""
        if self.ended:
            return Continue("end")
        if not self.tracked.waits_for_depth:
            GenServer.cast(FOLLOWER, Ask(self.tracked.id))
        return None

    def handle_continue(self, _arg: object) -> Stop:
        """End: the transaction ended before its tracker came."""
        return Stop("normal")

    @call
    def report(self) -> Tracked:
        """What is known of the transaction now."""
        return self.tracked

    @call(timeout=_OBSERVE_SECONDS)
    def observe(self, facts: tuple[Observation, ...]) -> tuple[Event, ...]:
        """Decide what facts make of the transaction; nothing changes until it is stored."""
        return decide(self.tracked, facts, Context.current().policy)

    @cast
    def settle(self, tracked: Tracked) -> Stop | None:
        """Take over what was stored."""
        if tracked.version < self.tracked.version:
            return None
        self.tracked = tracked
        self._answer_waiters()
        return Stop("normal") if tracked.final else None

    def handle_call(self, request: object, from_: From) -> Any:
        """Answer at once, or when the transaction has come so far."""
        if not isinstance(request, Reach):
            return super().handle_call(request, from_)
        if _reached(self.tracked, request.until):
            return self.tracked
        self._waiters += ((request, from_),)
        return NoReply()

    def handle_cast(self, request: object) -> None:
        """Answer somebody no more."""
        if isinstance(request, Leave):
            gone = request.asked
            self._waiters = tuple(one for one in self._waiters if one[0].asked is not gone)
        else:
            super().handle_cast(request)

    def _answer_waiters(self) -> None:
        waiting, self._waiters = self._waiters, ()
        for reach, from_ in waiting:
            if _reached(self.tracked, reach.until):
                GenServer.reply(from_, self.tracked)
            else:
                self._waiters += ((reach, from_),)


def _json(metadata: Mapping[str, Any]) -> str:
    try:
        # JSON has no NaN and no infinity; the json module writes them by default.
        return json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be a JSON object: {error}") from None


def _reached(tracked: Tracked, until: Until) -> bool:
    if until == "terminal":
        return tracked.ended
    return tracked.final or tracked.state == until


async def _reach(key: str, until: Until) -> Tracked:
    request = Reach(until)
    try:
        reached: Tracked = await GenServer.call(via(key), request, timeout=None)
    except ExitError:
        return await _stored(key)
    except asyncio.CancelledError:  # by a time limit, most of the time
        GenServer.cast(via(key), Leave(request.asked))
        raise
    return reached


async def _stored(key: str) -> Tracked:
    tracked = await Store.fetch(key)
    if tracked is None:
        raise NotTrackedError(key)
    return tracked
