"""The thread that works on the database: one function at a time, each with a limit of silence."""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import Connection

from beamish import Backoff
from transaction_tracker.awake import AwakeTimer
from transaction_tracker.store import postgresql
from transaction_tracker.store.database import Database, Work
from transaction_tracker.store.errors import UnavailableError
from transaction_tracker.threads import DaemonThreads

_BACKOFF = Backoff(initial=0.1, maximum=2.0, jitter=0.0)

CLOSE_SECONDS = 3.0
"""How long closing waits for the work in flight and for the end of the connection.

After that, the connection is cut off; the server rolls back what was not committed.
"""

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("transaction_tracker")


class DatabaseThread:
    """Runs functions in the thread of a database.

    The thread and the file are released with this object, even if it is never closed: a process
    that is killed closes nothing.

    Args:
        database: The database. It must not refer to this object or its owner.

    Attributes:
        seconds: Duration of the last ``run``.
    """

    def __init__(self, database: Database) -> None:
        self.seconds: float = 0.0
        self._database = database
        self._thread = DaemonThreads(1, "store")
        self._finalizer = weakref.finalize(self, _release, self._thread, database)
        self._finalizer.atexit = False

    async def open(self, *, migrate: bool, within_seconds: float) -> None:
        """Open the database; retry while its server does not answer or it has another owner.

        Args:
            migrate: Whether to create missing tables and migrate old ones.
            within_seconds: Seconds after which the last error is raised.

        Raises:
            StoreError: The database cannot be used.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + within_seconds
        for failures in count(1):
            try:
                await self._submit(partial(self._database.open, migrate=migrate))
            except UnavailableError as error:
                pause = _BACKOFF.delay(failures)
                if loop.time() + pause > give_up:
                    raise
                logger.warning("%s; retrying", error)
            else:
                return
            await asyncio.sleep(pause)

    def run(self, works: Sequence[Work]) -> asyncio.Future[list[Any]]:
        """Run work in one database transaction; see `Database.run`."""
        return self.call(partial(self._timed, works))

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run a function in the thread; cut off the connection if the server stays silent."""
        done = self._submit(function)
        limit = AwakeTimer(postgresql.SILENCE_TIMEOUT_SECONDS, self._database.cut_off)
        done.add_done_callback(lambda _: limit.cancel())
        return done

    def stream(self, work: Callable[[Connection], Iterator[T]]) -> Iterator[T]:
        """Return the items of a generator; use ``call`` to get each of them in the thread."""
        return self._database.stream(work)

    async def close(self) -> None:
        """Finish the work in flight, and close the database; cut off a server that is silent."""
        self._finalizer.detach()
        closing = self._submit(self._database.close)
        self._thread.shutdown()
        _, waits = await asyncio.wait((closing,), timeout=CLOSE_SECONDS)
        if waits:
            logger.warning("the database did not answer in time; cutting off its connection")
            self._database.cut_off()
            await closing

    def release(self) -> None:
        """Close the database and end the thread without waiting for it."""
        self._finalizer()

    def _timed(self, works: Sequence[Work]) -> list[Any]:
        started = time.perf_counter()
        results = self._database.run(works)
        self.seconds = time.perf_counter() - started
        return results

    def _submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)


def _release(thread: DaemonThreads, database: Database) -> None:
    thread.submit(database.close)
    thread.shutdown()
