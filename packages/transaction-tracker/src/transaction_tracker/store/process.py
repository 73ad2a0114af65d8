"""The store: one process, one thread, one database transaction at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from beamish import CallTimeoutError, From, GenServer, NoReply, Pid, process, telemetry
from transaction_tracker.awake import awake_timeout
from transaction_tracker.domain import (
    BlockRef,
    Link,
    Registration,
    RegistrationChange,
    StandingObjection,
    Tracked,
)
from transaction_tracker.store import (
    chain,
    changing,
    committing,
    objections,
    pruning,
    reading,
    registering,
    rescheduling,
)
from transaction_tracker.store.addresses import watching
from transaction_tracker.store.addresses.table import WatchedChange
from transaction_tracker.store.database import Database, Failed, Work
from transaction_tracker.store.database_thread import CLOSE_SECONDS, DatabaseThread
from transaction_tracker.store.errors import NotOwnerError
from transaction_tracker.store.garbage_collection import gc_paused
from transaction_tracker.store.lease import LeaseHolder
from transaction_tracker.store.open_transactions import OpenBySource, OpenTransactions
from transaction_tracker.store.pruning import Pruned
from transaction_tracker.store.steps import Step, Stored
from transaction_tracker.store.url import DatabaseUrl

STORE = "TransactionTracker.Store"

# Long enough for a slow disk: the queued work is still written after a caller has timed out.
_CALL_TIMEOUT_SECONDS = 60.0

# Long enough for a server that restarts, or that has not detected yet that its last client died.
_START_SECONDS = 10.0
_SHUTDOWN_SECONDS = CLOSE_SECONDS + 2.0

T = TypeVar("T")

Announce = Callable[[Stored], Awaitable[None]]

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class WorkFinished:
    """A message from the thread: the work in flight has finished."""

    results: asyncio.Future[list[Any]]


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """A message from the lease's thread: another program has claimed the database."""


class Store(GenServer, trap_exit=True, shutdown=_SHUTDOWN_SECONDS):
    """Store transactions, events and blocks, and announce each change after its commit.

    Work that arrives while the disk is busy is written together: a thousand registrations wait
    for one disk write, not for a thousand.

    The store exits when the database fails. Only what is in the database counts: the restarted
    store reads it again.

    Args:
        database: A file, ``":memory:"``, or the URL of a PostgreSQL database.
        open_transactions: The open transactions in memory, for all readers.
        announce: Called in this process after each commit with the parts of its result, before the
            caller gets it and before the next work starts.
        migrate: Whether to create missing tables and migrate old ones at the start.
        holder: Owns a PostgreSQL database by a lease. Default: by a lock, until the store stops.
        start_seconds: How long a start waits for a server that does not answer, or whose
            database another program owns. It does not wait for the lease of another program.

    Raises:
        StoreError: When it starts: the database cannot be used.
    """

    def __init__(
        self,
        database: str | Path | DatabaseUrl,
        open_transactions: OpenTransactions | OpenBySource,
        announce: Announce,
        *,
        migrate: bool = True,
        holder: LeaseHolder | None = None,
        start_seconds: float = _START_SECONDS,
    ) -> None:
        self._url = DatabaseUrl.of(database)
        self._holder = holder
        self._open_transactions = open_transactions
        self._announce = announce
        self._migrate = migrate
        self._start_seconds = start_seconds
        self._waiting: list[tuple[Work, From | None]] = []
        self._in_flight: list[tuple[Work, From | None]] = []

    async def init(self) -> None:
        """Open the database, and load the open transactions into memory."""
        # By the pid: the database must not refer to this object, or its finalizer would never run.
        lost = partial(_report_loss, asyncio.get_running_loop(), self.pid)
        self._database = DatabaseThread(Database(self._url, self._holder, lost))
        try:
            await self._database.open(migrate=self._migrate, within_seconds=self._start_seconds)
            await self._load()
        except BaseException:
            self._database.release()  # terminate is not called for a start that fails
            raise

    @staticmethod
    async def run(work: Callable[[Connection], T]) -> T:
        """Run a function in a database transaction, and return its result.

        The transaction is shared with other work that was queued at the same time. A result of type
        ``Stored`` updates the open transactions in memory and is announced.

        Args:
            work: A plain function. Runs in the store's thread, so it must not use objects of the
                event loop.

        Raises:
            DatabaseFailedError: The database rejected a statement of the work.
            CallTimeoutError: It did not finish within 60 s, not counting time for which the program
                was suspended.
            Exception: Any error that the work raised; its changes were rolled back.
        """
        result = await _with_timeout(GenServer.call(STORE, work, timeout=None))
        if isinstance(result, Failed):
            raise result.error
        return cast("T", result)

    @staticmethod
    async def identity(source: str | None = None) -> tuple[str, BlockRef | None] | None:
        """Return a source of the database, and the anchor block of its chain.

        ``None`` before the first ``claim``.

        Args:
            source: Name of the source. Default: the only one.
        """
        return await Store.run(partial(chain.load_identity, source=source))

    @staticmethod
    async def claim(
        source: str, anchor: BlockRef | None = None, *, is_only: bool = True
    ) -> list[Link]:
        """Bind the database to ``source``, and return its kept blocks, from the lowest up.

        Args:
            source: Name of the source.
            anchor: Block that identifies the chain; stored unless there is one already.
            is_only: Whether the database must have no other source.

        Raises:
            StoreError: The database belongs to another source.
        """
        await Store.run(partial(chain.claim, source=source, anchor=anchor, is_only=is_only))
        return await Store.links(source)

    @staticmethod
    async def links(source: str) -> list[Link]:
        """Return the kept blocks of a source, from the lowest up."""
        return await Store.run(partial(chain.load_links, source=source))

    @staticmethod
    async def recent_slots(source: str) -> list[tuple[Link, dict[str, str]]]:
        """Return the last blocks with their slots, as many as ``RecentSlots`` keeps."""
        return await Store.run(partial(chain.load_slots, source=source))

    @staticmethod
    async def register(registrations: Sequence[Registration]) -> list[Tracked]:
        """Store new transactions, and return the stored state of all, in any order.

        A parked transaction loses its error, and an untracked one is registered again; other known
        ones are unchanged.
        """
        stored = await Store.run(partial(registering.register, registrations=registrations))
        return list(stored.rows)

    @staticmethod
    async def change(
        transaction: str, change: RegistrationChange, min_confirmations: Callable[[Tracked], int]
    ) -> Tracked:
        """Store new values of a registration, and return the transaction.

        Args:
            transaction: Its id, as it was registered.
            change: The change.
            min_confirmations: Returns the confirmations below which a transaction is never final.

        Raises:
            NotTrackedError: The transaction is not registered.
            EndedError: It has ended.
        """
        work = partial(
            changing.change,
            transaction=transaction,
            change=change,
            min_confirmations=min_confirmations,
        )
        stored = await Store.run(work)
        return stored.rows[0]

    @staticmethod
    async def commit(step: Step) -> Stored:
        """Write one step in one database transaction, without transitions of stale versions."""
        return await Store.run(partial(committing.commit, step=step))

    @staticmethod
    async def fetch(transaction: str) -> Tracked | None:
        """Return a transaction, also a finished one; ``None`` if it is not registered.

        Args:
            transaction: Its id, as it was registered.
        """
        return await Store.run(partial(reading.load, transaction=transaction))

    @staticmethod
    async def anchored(block_hash: str, source: str | None = None) -> list[Tracked]:
        """Return the transactions of a source, or of all, that a block made final."""
        return await Store.run(partial(reading.load_anchored, block_hash=block_hash, source=source))

    @staticmethod
    async def history(transaction: str) -> list[tuple[int, str]]:
        """Return the versions and states of all events of a transaction."""
        return await Store.run(partial(reading.load_events, transaction=transaction))

    @staticmethod
    async def objections(source: str | None = None) -> tuple[StandingObjection, ...]:
        """Return the providers' objections to ends of a source's open transactions, or of all."""
        return await Store.run(partial(objections.load, source=source))

    @staticmethod
    async def keep_objections(
        withdrawn: Collection[StandingObjection],
        begun: Collection[StandingObjection],
        source: str = "",
    ) -> None:
        """Delete and store objections; those of a transaction go with its end by themselves."""
        await Store.run(
            partial(objections.replace, withdrawn=withdrawn, begun=begun, source=source)
        )

    @staticmethod
    async def pause_deliveries() -> None:
        """Pause all deliveries, until ``resume_deliveries``."""
        await Store.run(chain.pause_deliveries)

    @staticmethod
    async def resume_deliveries() -> None:
        """Resume deliveries, starting with the events that waited."""
        await Store.run(chain.resume_deliveries)

    @staticmethod
    async def frozen() -> float | None:
        """Return since when deliveries are paused, in Unix seconds; ``None`` if they are not."""
        return await Store.run(chain.frozen_since)

    @staticmethod
    async def prune(before: float, limit: int = pruning.LIMIT) -> Pruned:
        """Remove transactions and deliveries that ended long ago, up to a limit.

        Call it repeatedly, until it removes nothing.

        Args:
            before: Unix seconds. Removes what ended before, with its events.
            limit: Maximum number of transactions, and of deliveries, per call.
        """
        return await Store.run(partial(pruning.prune, before=before, limit=limit))

    @staticmethod
    def park(transaction: str, error: str) -> None:
        """Park a transaction: store why its tracker was stopped. Does not wait."""
        GenServer.cast(STORE, partial(registering.park, transaction=transaction, error=error))

    def handle_call(self, request: Work, from_: From) -> NoReply:
        """Queue work, and reply with its result later."""
        self._queue(request, from_)
        return NoReply()

    def handle_cast(self, request: Work) -> None:
        """Queue work without a reply; an error is logged."""
        self._queue(request, None)

    async def handle_info(self, message: object) -> None:
        """Announce and reply the results of the work in flight, and start the queued work."""
        match message:
            case WorkFinished(results):
                # If the database failed, this raises, and the process exits.
                await self._finish(results.result())
                self._start_queued()
            case LeaseLost():
                # At once: without work, the store would not notice, and its readers neither.
                raise NotOwnerError("another program has taken over the database")
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Finish the work in flight, and close the database; cut off a server that is silent."""
        await self._database.close()

    async def _load(self) -> None:
        self._open_transactions.clear()
        await self._database.run([rescheduling.correct_deadlines])
        parts = self._database.stream(reading.load_open)
        with gc_paused():
            while (rows := await self._database.call(partial(next, parts, None))) is not None:
                self._open_transactions.write(rows)
        if isinstance(self._open_transactions, OpenBySource):
            for source, number in self._open_transactions.left_out.items():
                # A configuration without it is valid, but its transactions stop silently.
                logger.error(
                    "%d open transactions of %s are not followed; add the source to [[sources]]",
                    number,
                    source,
                )
        await self._load_addresses()
        (counts,) = await self._database.run([reading.count_ended])
        self._open_transactions.add_final(counts)

    async def _load_addresses(self) -> None:
        (versions,) = await self._database.run([watching.load_versions])
        for source, version in versions.items():
            self._open_transactions.watch(WatchedChange(source, version))
        parts = self._database.stream(watching.load_watched)
        with gc_paused():
            while (rows := await self._database.call(partial(next, parts, None))) is not None:
                for change in watching.changes_of(rows, versions):
                    self._open_transactions.watch(change)

    def _queue(self, work: Work, from_: From | None) -> None:
        self._waiting.append((work, from_))
        if not self._in_flight:
            self._start_queued()

    def _start_queued(self) -> None:
        self._in_flight, self._waiting = self._waiting, []
        if not self._in_flight:
            return
        pid = self.pid
        done = self._database.run([work for work, _ in self._in_flight])
        done.add_done_callback(lambda results: process.send(pid, WorkFinished(results)))

    async def _finish(self, results: list[Any]) -> None:
        measured = {"seconds": self._database.seconds, "works": len(results)}
        telemetry.execute(("transaction_tracker", "store", "commit"), measured, {})
        for (_, from_), result in zip(self._in_flight, results, strict=True):
            if isinstance(result, Stored):
                await self._publish(result)
            elif isinstance(result, WatchedChange):
                self._open_transactions.watch(result)
            elif isinstance(result, Pruned):
                self._open_transactions.add_final(result.by_source)
            if from_ is not None:
                GenServer.reply(from_, result)
            elif isinstance(result, Failed):
                logger.error("storing failed: %s", result.error, exc_info=result.error)

    async def _publish(self, stored: Stored) -> None:
        """Update the open transactions in memory and announce the changes, in slices.

        A transaction and its tracker change at the same time, and the tip last: when it is a block,
        all its changes are visible.
        """
        for number, part in enumerate(stored.parts()):
            if number:
                await asyncio.sleep(0)
            self._open_transactions.take(part)
            await self._announce(part)


async def _with_timeout(call: Coroutine[Any, Any, T]) -> T:
    try:
        async with awake_timeout(_CALL_TIMEOUT_SECONDS) as limit:
            return await call
    except TimeoutError:
        if not limit.expired():  # pyright: ignore[reportUnboundVariable, reportAttributeAccessIssue]
            raise
        raise CallTimeoutError(STORE, "a piece of work", _CALL_TIMEOUT_SECONDS) from None


def _report_loss(loop: asyncio.AbstractEventLoop, pid: Pid) -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(process.send, pid, LeaseLost())
