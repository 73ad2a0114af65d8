"""The store: one process, one thread, one database transaction at a time."""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from beamish import CallTimeoutError, From, GenServer, NoReply, process, telemetry
from transaction_tracker.awake import AwakeTimer
from transaction_tracker.domain import BlockRef, Link, Registration, Tracked
from transaction_tracker.store import (
    chain,
    committing,
    postgresql,
    pruning,
    reading,
    registering,
    rescheduling,
)
from transaction_tracker.store.book import Book
from transaction_tracker.store.database import Database, Failed, Work
from transaction_tracker.store.errors import UnavailableError
from transaction_tracker.store.pruning import Pruned
from transaction_tracker.store.steps import Step, Stored
from transaction_tracker.store.uncollected import uncollected
from transaction_tracker.store.url import DatabaseUrl
from transaction_tracker.threads import DaemonThreads

STORE = "TransactionTracker.Store"

# A slow disk is no reason to give up: what was asked for will be written.
_PATIENCE_SECONDS = 60.0

# A server that is being restarted, or has not noticed yet that its last client is gone.
_START_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0

# At the end, what is under way can finish, and the connection is closed in order. A server that
# does not answer meanwhile is left: it takes back what was not committed.
_CLOSE_SECONDS = 3.0
_SHUTDOWN_SECONDS = _CLOSE_SECONDS + 2.0

T = TypeVar("T")

Announce = Callable[[Stored], None]

logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Finished:
    """The thread has done what was asked for."""

    results: asyncio.Future[list[Any]]


class Store(GenServer, trap_exit=True, shutdown=_SHUTDOWN_SECONDS):
    """Keeps transactions, events and blocks, and tells of each change once it is safe.

    What is asked for while the disk is busy is written together: a thousand
    registrations wait for one disk write, not for a thousand.

    It ends when the database fails: what is in the database counts, and whoever comes next
    begins from there.

    Args:
        database: A file, ``":memory:"``, or the address of a PostgreSQL database.
        book: Where everyone reads what is stored of the open transactions.
        announce: Called in this process after each write, before the writer hears of it.
        migrate: Whether missing or old tables are made and changed at the start.
        start_seconds: How long a start waits for a server that does not answer, or whose
            database another program still uses.
        silence_seconds: How long a server can take to answer before the store fails.

    Raises:
        StoreError: When it starts: the database cannot be used.
    """

    def __init__(
        self,
        database: str | Path | DatabaseUrl,
        book: Book,
        announce: Announce,
        *,
        migrate: bool = True,
        start_seconds: float = _START_SECONDS,
        silence_seconds: float = postgresql.MAX_SILENCE_SECONDS,
    ) -> None:
        self._database = Database(database)
        self._book = book
        self._announce = announce
        self._migrate = migrate
        self._start_seconds = start_seconds
        self._silence_seconds = silence_seconds
        self._thread = DaemonThreads(1, "store")
        self._waiting: list[tuple[Work, From | None]] = []
        self._under_way: list[tuple[Work, From | None]] = []
        self._seconds = 0.0

    async def init(self) -> None:
        """Open the database, and read the open transactions into the book."""
        # Who is killed does not terminate: the thread and the file must go even so.
        self._abandoned = weakref.finalize(self, _let_go, self._thread, self._database)
        self._abandoned.atexit = False
        try:
            await self._open()
            await self._load()
        except BaseException:
            self._abandoned()  # a start that fails has no terminate
            raise

    @staticmethod
    async def run(work: Callable[[Connection], T]) -> T:
        """Do a piece of work on the database in a transaction, and give its result.

        Work that others asked for meanwhile is in the same transaction. A result of type
        ``Stored`` is taken over into the book and announced.

        Args:
            work: A plain function. It runs in the store's thread: it must not touch what
                belongs to the event loop.

        Raises:
            DatabaseFailedError: The database refused what the work wrote.
            CallTimeoutError: It was not done within 60 s, a suspend of the program not counted.
            Exception: Whatever the work raised; nothing that it had written stays.
        """
        result = await _within_patience(GenServer.call(STORE, work, timeout=None))
        if isinstance(result, Failed):
            raise result.error
        return cast("T", result)

    @staticmethod
    async def identity() -> tuple[str, BlockRef | None] | None:
        """Return the source that the database belongs to, and the block that its chain is known by.

        ``None`` before the first ``claim``.
        """
        return await Store.run(chain.load_identity)

    @staticmethod
    async def claim(source: str, anchor: BlockRef | None = None) -> list[Link]:
        """Let the database belong to ``source``, and return its kept blocks, the lowest first.

        Args:
            source: Name of the source.
            anchor: The block by which its chain is known; stored unless there is one already.

        Raises:
            StoreError: It belongs to another source already.
        """
        await Store.run(partial(chain.claim, source=source, anchor=anchor))
        return await Store.links(source)

    @staticmethod
    async def links(source: str) -> list[Link]:
        """Return the kept blocks of a source, the lowest first."""
        return await Store.run(partial(chain.load_links, source=source))

    @staticmethod
    async def recent_slots(source: str) -> list[tuple[Link, dict[str, str]]]:
        """Give the last blocks with the slots that they took, as many as ``Recent`` keeps."""
        return await Store.run(partial(chain.load_slots, source=source))

    @staticmethod
    async def register(registrations: Sequence[Registration]) -> list[Tracked]:
        """Store the transactions that are new, and give all as they are stored, in any order.

        One that the user had stopped begins anew; others that are known stay as they are.
        """
        stored = await Store.run(partial(registering.register, registrations=registrations))
        return list(stored.rows)

    @staticmethod
    async def commit(step: Step) -> Stored:
        """Write one step, all of it or nothing."""
        return await Store.run(partial(committing.commit, step=step))

    @staticmethod
    async def fetch(transaction: str) -> Tracked | None:
        """Give a transaction, whether it has ended or not."""
        return await Store.run(partial(reading.load, transaction=transaction))

    @staticmethod
    async def anchored(block_hash: str) -> list[Tracked]:
        """Give the transactions that a block has decided for good."""
        return await Store.run(partial(reading.load_anchored, block_hash=block_hash))

    @staticmethod
    async def history(transaction: str) -> list[tuple[int, str]]:
        """Give the versions and states that a transaction went through."""
        return await Store.run(partial(reading.load_events, transaction=transaction))

    @staticmethod
    async def freeze() -> None:
        """Tell nobody of events any more, until ``thaw``."""
        await Store.run(chain.freeze)

    @staticmethod
    async def thaw() -> None:
        """Tell of events again, of those that waited first."""
        await Store.run(chain.thaw)

    @staticmethod
    async def frozen() -> float | None:
        """Say since when nobody is told of events, in Unix seconds; ``None`` when they are."""
        return await Store.run(chain.frozen_since)

    @staticmethod
    async def prune(before: float, limit: int = pruning.LIMIT) -> Pruned:
        """Remove what ended long ago; again, until nothing more is removed.

        Args:
            before: Unix seconds. What ended earlier goes, with its events.
            limit: How many transactions, and how many deliveries, in one call at most.
        """
        return await Store.run(partial(pruning.prune, before=before, limit=limit))

    @staticmethod
    def park(transaction: str, error: str) -> None:
        """Note why a transaction's tracker was given up."""
        GenServer.cast(STORE, partial(registering.park, transaction=transaction, error=error))

    def handle_call(self, request: Work, from_: From) -> NoReply:
        """Queue work whose result somebody waits for."""
        self._queue(request, from_)
        return NoReply()

    def handle_cast(self, request: Work) -> None:
        """Queue work whose result nobody waits for."""
        self._queue(request, None)

    def handle_info(self, message: object) -> None:
        """Tell of what was written, and go on with what has come meanwhile."""
        match message:
            case Finished(results):
                # An exception ends this process.
                self._finish(results.result())
                self._next()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Let the thread finish what it does, and close the database; leave a silent server."""
        self._abandoned.detach()
        closing = self._in_thread(self._database.close)
        self._thread.shutdown()
        _, waits = await asyncio.wait((closing,), timeout=_CLOSE_SECONDS)
        if waits:
            logger.warning("the database did not answer in time; its connection is cut off")
            self._database.cut_off()
            await closing

    async def _open(self) -> None:
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE_SECONDS
        give_up = loop.time() + self._start_seconds
        while True:
            try:
                await self._in_thread(partial(self._database.open, migrate=self._migrate))
            except UnavailableError as error:
                if loop.time() + pause > give_up:
                    raise
                logger.warning("%s; trying again for some seconds", error)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _load(self) -> None:
        self._book.clear()
        await self._answered(partial(self._database.run, [rescheduling.correct_deadlines]))
        parts = self._database.stream(reading.load_open)
        with uncollected():
            while (rows := await self._answered(partial(next, parts, None))) is not None:
                self._book.write(rows)
        (counts,) = await self._answered(partial(self._database.run, [reading.count_ended]))
        self._book.census.ended(counts)

    def _queue(self, one: Work, from_: From | None) -> None:
        self._waiting.append((one, from_))
        if not self._under_way:
            self._next()

    def _next(self) -> None:
        self._under_way, self._waiting = self._waiting, []
        if not self._under_way:
            return
        run = partial(self._timed, [one for one, _ in self._under_way])
        pid = self.pid
        done = self._answered(run)
        done.add_done_callback(lambda results: process.send(pid, Finished(results)))

    def _finish(self, results: list[Any]) -> None:
        measured = {"seconds": self._seconds, "works": len(results)}
        telemetry.execute(("transaction_tracker", "store", "commit"), measured, {})
        for (_, from_), result in zip(self._under_way, results, strict=True):
            if isinstance(result, Stored):
                self._book.take(result)
                self._announce(result)
            elif isinstance(result, Pruned):
                self._book.census.ended(result.by_state)
            if from_ is not None:
                GenServer.reply(from_, result)
            elif isinstance(result, Failed):
                logger.error("the store could not do it: %s", result.error, exc_info=result.error)

    def _timed(self, works: list[Work]) -> list[Any]:
        started = time.perf_counter()
        results = self._database.run(works)
        self._seconds = time.perf_counter() - started
        return results

    def _answered(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run a function in the thread; break the connection if its server stays silent."""
        done = self._in_thread(function)
        limit = AwakeTimer(self._silence_seconds, self._database.cut_off)
        done.add_done_callback(lambda _: limit.cancel())
        return done

    def _in_thread(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)


async def _within_patience(call: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            timer = AwakeTimer(_PATIENCE_SECONDS, lambda: limit.reschedule(loop.time()))
            try:
                return await call
            finally:
                timer.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise CallTimeoutError(STORE, "a piece of work", _PATIENCE_SECONDS) from None


def _let_go(thread: DaemonThreads, database: Database) -> None:
    thread.submit(database.close)
    thread.shutdown()
