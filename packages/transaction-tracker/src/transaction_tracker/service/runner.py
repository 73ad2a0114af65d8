"""Runs each source of several: starts it, starts it again after a failure, and pauses it."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from beamish import (
    IGNORE,
    AlreadyStartedError,
    Backoff,
    BeamishError,
    Continue,
    Down,
    DynamicSupervisor,
    GenServer,
    NotFoundError,
    Pid,
    Ref,
    StartError,
    Supervisor,
    Task,
    call,
    process,
)
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import TrackerError
from transaction_tracker.service.source_tree import SourceTree, describe
from transaction_tracker.store import Store, chain

SOURCES = "TransactionTracker.Sources"
RUNNERS = "TransactionTracker.SourceRunners"

# How long the start of the service waits for its sources. A source that is down starts later.
START_SECONDS = 10.0
RETRY_BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=60.0, jitter=0.1, reset_after=60.0)
# A repeated failure is logged again after this time.
REPEAT_SECONDS = 600.0
_CALL_SECONDS = 60.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class StartSource:
    """Message to itself: start the processes of the source."""


@dataclass(frozen=True, slots=True)
class SourceStarted:
    """The result of an attempt to start the processes of a source.

    Attributes:
        pid: Their supervisor; ``None`` if they could not start.
        error: Why not.
    """

    pid: Pid | None
    error: str = ""


class SourceRunner(GenServer):
    """Keep the processes of one source running, unless an operator has paused it.

    They have a supervisor of their own, which is not restarted by its supervisor: a source that
    fails again and again must not use up the restarts of the others. This process starts it again,
    with an increasing delay, for as long as the service runs.

    Args:
        tree: The source.
    """

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._state = tree.state
        self._pid: Pid | None = None
        self._is_starting = False
        self._failures = 0
        self._logged: tuple[str, float] | None = None
        self._started_at = 0.0
        self._retry: Ref | None = None

    @staticmethod
    def name_of(label: str | None) -> str:
        """Return the name of the runner of a source."""
        return f"{RUNNERS}.{label}"

    async def init(self) -> Continue | None:
        """Load whether the source is paused; adopt processes that run already."""
        paused = await Store.run(chain.load_paused)
        self._state.paused = self._tree.source.name in paused
        self._state.running = False
        if self._state.paused:
            self._state.stopped()
            await self._stop(process.whereis(self._tree_name))
            return None
        running = process.whereis(self._tree_name)
        if isinstance(running, Pid):
            self._run(running)
            return None
        return Continue(StartSource())

    def handle_continue(self, _arg: object) -> None:
        """Start the source."""
        self._start()

    async def handle_info(self, message: object) -> None:
        """Start the source again after a failure."""
        match message:
            case StartSource():
                self._start()
            case (Ref() as ref, SourceStarted(pid, error)):
                process.demonitor(ref, flush=True)
                self._is_starting = False
                await self._attempted(pid, error)
            case Down(pid=pid, reason=reason) if pid == self._pid:
                self._pid = None
                self._failed(f"they stopped: {describe(reason)}")
            case Down():  # an attempt to start crashed: it is linked, so this process crashes too
                pass
            case _:
                super().handle_info(message)

    @call(timeout=_CALL_SECONDS)
    async def pause(self) -> None:
        """Stop the processes of the source, also after a restart of the service."""
        await Store.run(partial(chain.set_paused, source=self._tree.source.name, paused=True))
        self._state.paused = True
        pid, self._pid = self._pid, None
        await self._stop(pid)
        self._state.stopped()
        logger.warning("source %s is paused", self._tree.label)

    @call(timeout=_CALL_SECONDS)
    async def resume(self) -> None:
        """Start the processes of the source again."""
        await Store.run(partial(chain.set_paused, source=self._tree.source.name, paused=False))
        if self._state.paused:
            logger.info("source %s is resumed", self._tree.label)
        self._state.paused = False
        self._failures = 0
        if self._pid is None:
            self._start()

    @property
    def _tree_name(self) -> str:
        return f"{SOURCES}.{self._tree.label}"

    def _start(self) -> None:
        if self._retry is not None:
            process.cancel_timer(self._retry)
            self._retry = None
        if self._is_starting or self._state.paused or self._pid is not None:
            return
        self._is_starting = True
        # In a task: an attempt can wait for a provider, and a pause must not wait for it.
        Task.async_(_start_tree, self._tree, self._tree_name)

    async def _attempted(self, pid: Pid | None, error: str) -> None:
        if pid is None:
            self._failed(error)
        elif self._state.paused:
            await _terminate(pid)
        else:
            self._run(pid)

    def _run(self, pid: Pid) -> None:
        self._pid = pid
        process.monitor(pid)
        self._started_at = loop_time()
        if self._state.failure:
            logger.info("source %s runs again", self._tree.label)
        self._logged = None
        self._state.started()

    def _failed(self, why: str) -> None:
        if self._state.paused:
            self._state.stopped()
            return
        if self._started_at and loop_time() - self._started_at > (RETRY_BACKOFF.reset_after or 0.0):
            self._failures = 0
        self._failures += 1
        self._state.failed(why)
        delay = RETRY_BACKOFF.delay(self._failures)
        if self._logged is None or self._logged[0] != why or loop_time() > self._logged[1]:
            self._logged = why, loop_time() + REPEAT_SECONDS
            logger.error(
                "source %s does not run: %s; it is started again until it runs, and the other "
                "sources are not affected",
                self._tree.label,
                why,
            )
        self._retry = process.send_after(self.pid, StartSource(), delay)

    async def _stop(self, pid: object) -> None:
        if isinstance(pid, Pid):
            await _terminate(pid)


class WaitForSources(GenServer):
    """Wait for the first attempt to start each source, and stop; a slow one is not waited for.

    Args:
        trees: The sources.
        seconds: Maximum time.
    """

    def __init__(self, trees: Sequence[SourceTree], seconds: float) -> None:
        self._trees = trees
        self._seconds = seconds

    async def init(self) -> object:
        """Wait, so that a started service follows all sources that are well."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                for tree in self._trees:
                    await tree.state.attempted.wait()
        return IGNORE


async def _start_tree(tree: SourceTree, name: str) -> SourceStarted:
    try:
        spec = Supervisor.child_spec(tree.children(), strategy="rest_for_one", name=name)
        pid = await DynamicSupervisor.start_child(SOURCES, spec.replace(restart="temporary"))
    except AlreadyStartedError as error:
        return SourceStarted(error.pid)
    except BeamishError as error:
        return SourceStarted(None, _cause(error))
    except Exception as error:  # whatever it is: the other sources must not restart because of it
        logger.exception("source %s cannot be started", tree.label)
        return SourceStarted(None, describe(error))
    return SourceStarted(pid)


async def _terminate(pid: Pid) -> None:
    with suppress(NotFoundError):  # it has stopped meanwhile
        await DynamicSupervisor.terminate_child(SOURCES, pid)


def _cause(error: BeamishError) -> str:
    """Return the first of our own errors among the causes, or the last cause."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    ours = [cause for cause in causes if isinstance(cause, TrackerError)]
    found = ours[0] if ours else causes[-1]
    if isinstance(found, StartError):
        return describe(found.reason)
    return str(found)
