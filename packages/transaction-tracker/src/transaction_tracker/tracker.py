"""The tracker: one process for one transaction, from its registration to its end."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from beamish import (
    AlreadyStartedError,
    Continue,
    DynamicSupervisor,
    ExitError,
    From,
    GenServer,
    NoReply,
    Pid,
    Registry,
    Stop,
    Via,
    call,
    cast,
)
from transaction_tracker.domain import (
    STATES,
    Event,
    NotTrackedError,
    Observation,
    ParkedError,
    State,
    Tracked,
    decide,
)
from transaction_tracker.sources import Source
from transaction_tracker.store import Book, Store

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
FOLLOWER = "TransactionTracker.Follower"

Until = State | Literal["terminal"]

# A tracker that is late with its answer holds up a block: it is told again, or decided for.
_OBSERVE_SECONDS = 1.0
_RESTART_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Context:
    """What the trackers of one application share; the registry keeps it.

    Attributes:
        source: Where the transactions live.
        book: What is stored of those that have not ended.
        confirmations: How many a newly registered one needs.
    """

    source: Source
    book: Book
    confirmations: int

    KEY = "context"


@dataclass(frozen=True, slots=True)
class Started:
    """To the follower: this tracker is there, and in no block; what is known of it?"""

    transaction: str


@dataclass(frozen=True, slots=True)
class Reach:
    """A request: answer when the transaction has come this far."""

    until: Until


class TransactionTracker(GenServer, restart="transient"):
    """Follow one transaction until its state is final.

    What outlives the process is in the store: a restarted tracker reads its row and
    goes on. It decides what the facts make of its transaction, and takes the new state
    over once the store has written it.
    """

    def __init__(self, transaction: str) -> None:
        stored = _context().book.get(transaction)
        self.ended = stored is None
        self.tracked = stored or Tracked(transaction, required=0)
        self._waiters: tuple[tuple[Until, From], ...] = ()

    @classmethod
    async def start(cls, transaction: str) -> Pid:
        """Follow a transaction, for ever if need be, also over restarts of the program.

        Returns once it is stored. Started again, it gives the tracker that already
        follows it. One that has ended needs no tracker: the process that is given then
        ends at once, and ``status`` and ``wait`` answer from the store. One that was
        parked gets a new tracker.

        Raises:
            InvalidTransactionError: It is no transaction id of the source.
            NoProcessError: The application does not run.
        """
        context = _context()
        key = context.source.identify(transaction)
        running = Registry.whereis(REGISTRY, key)
        if running is not None:
            return running
        await Store.register([key], context.confirmations)
        return await cls._start_child(key)

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
        waiting = [one.id for one in _context().book if via(one.id) not in cared_for]
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
        return Registry.whereis(REGISTRY, _context().source.identify(transaction))

    @classmethod
    async def status(cls, transaction: str) -> Tracked:
        """Tell what is known of a transaction, whether it has ended or not.

        Raises:
            NotTrackedError: It was never started.
        """
        key = _context().source.identify(transaction)
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
            until: A state, or ``"terminal"`` for whichever is the last. A final state
                ends the wait in any case: nothing comes after it.
            timeout: Seconds; ``None`` waits for ever.

        Raises:
            TimeoutError: It did not come so far in time.
            NotTrackedError: It was never started.
            ParkedError: Its tracker was given up.
        """
        if until not in (*STATES, "terminal"):
            raise ValueError(f"until must be 'terminal' or one of {STATES}, got {until!r}")
        key = _context().source.identify(transaction)
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
        tip = _context().book.tip
        if tracked.anchor is None or tip is None:
            return 0
        return max(0, tip.number - tracked.anchor.number + 1)

    def init(self) -> Continue | None:
        """Ask what is known, when nothing is; the follower knows the rest."""
        if self.ended:
            return Continue("end")
        if not self.tracked.waits_for_depth:
            GenServer.cast(FOLLOWER, Started(self.tracked.id))
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
        return decide(self.tracked, facts)

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
        self._waiters += ((request.until, from_),)
        return NoReply()

    def _answer_waiters(self) -> None:
        waiting, self._waiters = self._waiters, ()
        for until, from_ in waiting:
            if _reached(self.tracked, until):
                GenServer.reply(from_, self.tracked)
            else:
                self._waiters += ((until, from_),)


def via(key: str) -> Via:
    """Name the tracker of a transaction."""
    return Registry.via(REGISTRY, key)


def _context() -> Context:
    context: Context = Registry.meta(REGISTRY, Context.KEY)
    return context


def _reached(tracked: Tracked, until: Until) -> bool:
    return tracked.final or tracked.state == until


async def _reach(key: str, until: Until) -> Tracked:
    try:
        reached: Tracked = await GenServer.call(via(key), Reach(until), timeout=None)
    except ExitError:
        return await _stored(key)
    return reached


async def _stored(key: str) -> Tracked:
    tracked = await Store.fetch(key)
    if tracked is None:
        raise NotTrackedError(key)
    return tracked
