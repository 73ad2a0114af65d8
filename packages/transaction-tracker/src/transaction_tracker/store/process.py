"""The store: one process, one thread, one database transaction at a time."""

import asyncio
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from beamish import From, GenServer, NoReply, process
from transaction_tracker.domain import Link, Tracked
from transaction_tracker.store import work
from transaction_tracker.store.book import Book
from transaction_tracker.store.database import Database, Work
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.work import Step, Stored

STORE = "TransactionTracker.Store"

# A slow disk is no reason to give up: what was asked for will be written.
_PATIENCE_SECONDS = 60.0

T = TypeVar("T")

Announce = Callable[[Stored], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """The thread has done what was asked for."""

    results: asyncio.Future[list[Any]]


class Store(GenServer):
    """Keeps transactions, events and blocks, and tells of each change once it is safe.

    What is asked for while the disk is busy is written together: a thousand
    registrations wait for one disk write, not for a thousand.

    Args:
        path: The database file, or ``":memory:"``.
        book: Where everyone reads what is stored of the open transactions.
        announce: Called in this process after each write, before the writer hears of it.
    """

    def __init__(self, path: str | Path, book: Book, announce: Announce) -> None:
        self._path = path
        self._book = book
        self._announce = announce
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._database: Database | None = None
        self._waiting: list[tuple[Work, From | None]] = []
        self._under_way: list[tuple[Work, From | None]] = []

    async def init(self) -> None:
        """Open the database, and read the open transactions into the book."""
        database = await self._in_thread(partial(Database, self._path))
        self._database = database
        # Who is killed does not terminate: the thread and the file must go even so.
        self._abandoned = weakref.finalize(self, _let_go, self._thread, database)
        self._abandoned.atexit = False
        (loaded,) = await self._in_thread(partial(database.run, [work.load_open]))
        self._book.clear()
        self._book.write(loaded.rows)

    @staticmethod
    async def claim(source: str) -> list[Link]:
        """Let the database belong to ``source``, and give its kept blocks, the lowest first.

        Raises:
            StoreError: It belongs to another source already.
        """
        await _ask(partial(work.claim, source=source))
        return await _ask(partial(work.load_links, source=source))

    @staticmethod
    async def register(ids: Sequence[str], required: int) -> list[Tracked]:
        """Store the transactions that are new, and give all as they are stored."""
        stored = await _ask(partial(work.register, ids=ids, required=required))
        return list(stored.rows)

    @staticmethod
    async def commit(step: Step) -> Stored:
        """Write one step, all of it or nothing."""
        return await _ask(partial(work.commit, step=step))

    @staticmethod
    async def fetch(transaction: str) -> Tracked | None:
        """Give a transaction, whether it has ended or not."""
        return await _ask(partial(work.load, transaction=transaction))

    @staticmethod
    async def history(transaction: str) -> list[tuple[int, str]]:
        """Give the versions and states that a transaction went through."""
        return await _ask(partial(work.load_events, transaction=transaction))

    @staticmethod
    def park(transaction: str, error: str) -> None:
        """Note why a transaction's tracker was given up."""
        GenServer.cast(STORE, partial(work.park, transaction=transaction, error=error))

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
                # An exception ends this process: what is in the database counts, and
                # whoever comes next begins from there.
                self._finish(results.result())
                self._next()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Let the thread finish what it does, and close the database."""
        if self._database is not None:
            self._abandoned.detach()
            await self._in_thread(self._database.close)
        self._thread.shutdown(wait=False)

    def _queue(self, one: Work, from_: From | None) -> None:
        self._waiting.append((one, from_))
        if not self._under_way:
            self._next()

    def _next(self) -> None:
        self._under_way, self._waiting = self._waiting, []
        if not self._under_way or self._database is None:
            return
        run = partial(self._database.run, [one for one, _ in self._under_way])
        pid = self.pid
        done = self._in_thread(run)
        done.add_done_callback(lambda results: process.send(pid, Finished(results)))

    def _finish(self, results: list[Any]) -> None:
        for (_, from_), result in zip(self._under_way, results, strict=True):
            if isinstance(result, Stored):
                self._book.write(result.rows)
                self._book.tip = result.tip or self._book.tip
                self._announce(result)
            if from_ is not None:
                GenServer.reply(from_, result)

    def _in_thread(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)


def _let_go(thread: ThreadPoolExecutor, database: Database) -> None:
    thread.submit(database.close)
    thread.shutdown(wait=False)


async def _ask(one: Callable[[Connection], T]) -> T:
    result = await GenServer.call(STORE, one, timeout=_PATIENCE_SECONDS)
    if isinstance(result, StoreError):
        raise result
    return cast("T", result)
