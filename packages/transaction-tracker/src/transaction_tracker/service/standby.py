"""Run the service on one of several machines: stand by, take over, and stand by again."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from beamish import Backoff, BeamishError, Down, ExitError, GenServer, process
from transaction_tracker.api import WebOptions
from transaction_tracker.api.server import bind
from transaction_tracker.api.standby import StandbyStatus, StandbyWeb
from transaction_tracker.follower.clock_jumps import MIN_JUMP_SECONDS
from transaction_tracker.service.notify import notify, ready
from transaction_tracker.service.tree import TransactionTrackerApplication
from transaction_tracker.store import (
    STORE,
    DatabaseFailedError,
    DatabaseUrl,
    LeaseHolder,
    NotOwnerError,
    UnavailableError,
)
from transaction_tracker.store.lease import LeaseWatch
from transaction_tracker.threads import DaemonThreads

# How often a standby looks whether the database can be claimed.
LOOK_SECONDS = 0.25
# Before the next claim: a program that fails with the database gives another one the time to try.
_BACKOFF = Backoff(initial=1.0, maximum=30.0, jitter=0.1, reset_after=60.0)

# Errors of a start after which the program stands by again. The errors of beamish are the last
# cause if the store has ended during the start. After any other error, such as a wrong chain, the
# program ends, and another one takes over at once.
_REPEATED = (BeamishError, DatabaseFailedError, NotOwnerError, UnavailableError)

logger: logging.Logger = logging.getLogger("transaction_tracker")

Create = Callable[[socket.socket], TransactionTrackerApplication]
Started = Callable[[TransactionTrackerApplication], Awaitable[None]]


class Standby:
    """Runs the application whenever no other program owns its database.

    The listening socket stays open for as long as this runs. While the application does not use
    it, the standby responds to its requests.

    Args:
        database: URL of the PostgreSQL database.
        holder: This program.
        options: Address and limits of the HTTP API.
        create: Creates an application with ``holder``, for a listening socket. Called at each
            take-over.
        started: Called at each take-over, when the application runs.
    """

    def __init__(
        self,
        database: DatabaseUrl,
        holder: LeaseHolder,
        options: WebOptions,
        create: Create,
        started: Started,
    ) -> None:
        self._database = database
        self._holder = holder
        self._options = options
        self._create = create
        self._started = started
        self._failures = 0
        self._logged: str | None = None
        self._is_clock_wrong = False

    async def run(self) -> None:
        """Stand by and take over, until the task is cancelled.

        Raises:
            BeamishError: The application cannot start, and not because of the database.
            StoreError: The server refuses the program, such as for a wrong password.
            OSError: The address of the HTTP API cannot be used.
        """
        with bind(self._options) as listener:
            async with ready():
                while True:
                    began = asyncio.get_running_loop().time()
                    try:
                        await self._take_turn(listener)
                    except BeamishError as error:
                        if not isinstance(_cause(error), _REPEATED):
                            raise
                        logger.error("the service stopped: %s; standing by again", _cause(error))
                    lasted = asyncio.get_running_loop().time() - began
                    is_failure = not self._holder.is_refused and lasted < _BACKOFF.reset_after
                    self._failures = self._failures + 1 if is_failure else 0

    async def _take_turn(self, listener: socket.socket) -> None:
        """Stand by until the database is free, and run the application until its store ends."""
        status = StandbyStatus()
        async with AsyncExitStack() as stack:
            web = await StandbyWeb.start_link(status, self._options, listener, self._database.shard)
            try:
                notify("STATUS=standby")
                await self._wait_for_turn(status)
                notify("STATUS=taking over")
                logger.info("taking over")
                application = await stack.enter_async_context(self._create(listener))
            finally:
                await GenServer.stop(web)
            notify("STATUS=owner")
            await self._started(application)
            # Its store is not restarted: while it waited for the server, or as a standby, nothing
            # would respond to requests.
            process.monitor(STORE)
            await process.receive(match=lambda message: isinstance(message, Down))

    async def _wait_for_turn(self, status: StandbyStatus) -> None:
        if self._failures:
            await asyncio.sleep(_BACKOFF.delay(self._failures))
        watch = LeaseWatch(self._database, self._holder)
        thread = DaemonThreads(1, "lease_watch")
        loop = asyncio.get_running_loop()
        try:
            while not await loop.run_in_executor(thread, self._look, watch, status):
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            thread.submit(watch.close)
            thread.shutdown()
        self._logged = None
        status.takes_over = True

    def _look(self, watch: LeaseWatch, status: StandbyStatus) -> bool:
        """Return whether the database can be claimed; log a change."""
        try:
            owner = watch.look()
        except UnavailableError as error:
            self._log(f"standing by; cannot use database {self._database}: {error}")
            return False
        self._check_clock(owner.clock_ahead)
        status.owner = owner.address
        if not owner.is_gone:
            self._log(f"standing by; {owner.address or 'another program'} owns {self._database}")
        return owner.is_gone

    def _check_clock(self, ahead: float) -> None:
        """Warn before this program takes over: with a wrong clock, it ends transactions early."""
        was_wrong, self._is_clock_wrong = self._is_clock_wrong, abs(ahead) >= MIN_JUMP_SECONDS
        if self._is_clock_wrong and not was_wrong:
            logger.warning(
                "the clock of this machine is %.0f s %s that of the database server; the owner "
                "judges deadlines of transactions by its clock: set it before this program "
                "takes over (NTP)",
                abs(ahead),
                "ahead of" if ahead > 0 else "behind",
            )

    def _log(self, text: str) -> None:
        if text != self._logged:
            self._logged = text
            logger.info(text)


def _cause(error: BaseException) -> BaseException:
    """Return the last cause of an error, also behind the exit of a process."""
    reason = error.reason if isinstance(error, ExitError) else None
    cause = error.__cause__ or (reason if isinstance(reason, BaseException) else None)
    return error if cause is None else _cause(cause)
