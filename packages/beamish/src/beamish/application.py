"""`Application`, a supervision tree that starts and stops as a whole, and `run`.

When not to use it: for one supervisor inside a function; use `Supervisor.running`.

Source:
    Elixir's ``Application``.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from beamish import process
from beamish._runtime.context import current_pid
from beamish._signals import Signals
from beamish._strategy import Strategy
from beamish._supervision.blocks import cancelled_at_death_of, stopped
from beamish.errors import ExitError
from beamish.pid import Name, Pid
from beamish.supervisor import Supervisor

T = TypeVar("T")

_log = logging.getLogger("beamish")


class Application:
    """A supervision tree that starts and stops as a whole.

    Define `children`. ``async with App() as app:`` runs the tree inside any asyncio program,
    ``beamish.run(App())`` runs it as the main program. The block can be entered in one task and
    left in another.

    Args:
        config: Values for ``self.config``, which override the class's ``config``.

    Attributes:
        strategy: The strategy of the root supervisor, with ``max_restarts`` and ``max_seconds``.
        name: The root supervisor's name; ``None`` for no name.
        supervisor: The root supervisor's pid while the application runs, otherwise ``None``.

    Source:
        Elixir's ``Application`` behaviour. Differs: an instance, not a registered application.
    """

    strategy: Strategy = "one_for_one"
    max_restarts: int = 3
    max_seconds: float = 5.0
    name: Name | None = None
    config: ClassVar[Mapping[str, Any]] = {}
    supervisor: Pid | None = None

    def __init__(self, **config: Any) -> None:
        self.config = {**type(self).config, **config}  # type: ignore[misc] # the instance's own

    # -- To be defined

    def children(self) -> list[Any]:
        """Return the children in start order: `ChildSpec` values or classes."""
        raise NotImplementedError(
            f"{type(self).__qualname__} must define children(self), which returns what to start"
        )

    def prep_stop(self) -> Any:
        """Prepare to stop; runs before the tree stops. Can be async."""

    def stop(self) -> Any:
        """Clean up; runs after the tree has stopped. Can be async."""

    # -- Running

    async def __aenter__(self) -> Self:
        if self.supervisor is not None:
            raise RuntimeError(
                f"{type(self).__qualname__} is already running; create another instance"
            )
        self._entered_by = asyncio.current_task()
        self._block = self._running()
        await self._block.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if asyncio.current_task() is self._entered_by:
            return await self._block.__aexit__(kind, error, traceback)
        token = current_pid.set(self._pid)  # the hooks run as the process that entered the block
        try:
            return await self._block.__aexit__(kind, error, traceback)
        finally:
            current_pid.reset(token)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with process.attach() as self._pid:
            self.supervisor = await self._start()
            try:
                async with cancelled_at_death_of(self.supervisor):
                    yield
            finally:
                await self._stop()

    async def _start(self) -> Pid:
        pid = await Supervisor.start_link(
            self.children(),
            strategy=self.strategy,
            max_restarts=self.max_restarts,
            max_seconds=self.max_seconds,
            name=self.name,
        )
        # Monitored instead of linked: its death must end this block, not the surrounding process.
        process.unlink(pid)
        return pid

    async def _stop(self) -> None:
        supervisor, self.supervisor = self.supervisor, None
        try:
            await _maybe_await(self.prep_stop())
        finally:
            try:
                await stopped(supervisor)
            finally:
                await _maybe_await(self.stop())


async def _maybe_await(value: Any) -> None:
    if inspect.isawaitable(value):
        await value


def run(
    main: Application | Coroutine[Any, Any, T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T | None:
    """Run a coroutine, or an application until a signal stops it, as the main program.

    The main task is a process. SIGINT and SIGTERM cancel the coroutine, or stop the application's
    tree in reverse order, each child within its ``shutdown``; a second signal kills every process
    at once, and the program exits with 128 plus the signal's number. While a callback or a hook
    blocks the event loop, the second signal interrupts it with `KeyboardInterrupt`: at once, or
    after a second if the loop has handled the first one. A signal that was ignored
    when ``run`` began stays ignored.

    ``sys.exit`` in any callback, sync or async, stops the program like the first signal, with its
    own exit status. Its process exits with the `SystemExit` as reason and is not restarted.

    Args:
        main: A coroutine, or an `Application`.
        loop_factory: Creates the event loop, such as ``uvloop.new_event_loop``.

    Returns:
        The result of the coroutine; ``None`` after a signal, so that the exit status is 0.

    Raises:
        SystemExit: With status 1 when the application's tree died by itself, or as a callback
            raised it.

    Source:
        ``asyncio.run``; ``mix run --no-halt`` for starting and stopping applications.
    """
    if not isinstance(main, Application) and not inspect.iscoroutine(main):
        raise TypeError(f"run needs an Application or a coroutine, as in run(main()); got {main!r}")
    with asyncio.Runner(loop_factory=loop_factory) as runner, Signals() as signals:
        program = _Program(main, signals)
        try:
            return runner.run(program.main())
        except (SystemExit, KeyboardInterrupt) as error:
            program.unwind(runner.get_loop())
            end = program.end_of(error)
    raise end


class _Program(Generic[T]):
    """The main task of `run` and the end of the program."""

    def __init__(self, main: Application | Coroutine[Any, Any, T], signals: Signals) -> None:
        self._main = main
        self._signals = signals
        self._task: asyncio.Task[Any] | None = None

    async def main(self) -> T | None:
        self._task = asyncio.current_task()
        self._signals.listen()
        main, received = self._main, self._signals.received
        try:
            async with process.attach():
                if not isinstance(main, Application):
                    return await main
                async with main:
                    await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if not received:
                raise
        except ExitError as error:
            if not isinstance(main, Application) and not received:
                raise
            if not received:
                _log.error("the application died by itself: %s", error)
                raise SystemExit(1) from None
        if len(received) > 1:
            raise SystemExit(128 + received[-1])
        return None

    def unwind(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the main task in order after an exception left the event loop.

        ``sys.exit`` in a callback, and Ctrl-C while a callback blocks, stop the loop at once.
        """
        task = self._task
        # A pending signal cancels the task when the loop handles it.
        if task is not None and not self._signals.pending:
            task.cancel()
        while task is not None and not task.done():
            with suppress(SystemExit, KeyboardInterrupt, asyncio.CancelledError, Exception):
                loop.run_until_complete(task)
        # The interrupted run can have queued its own stop, which would end the next run.
        stopped = False
        while not stopped or self._signals.pending:
            loop.call_soon(loop.stop)
            with suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()
                stopped = True

    def end_of(self, error: BaseException) -> BaseException:
        """Return the exception that ends the program, after ``error`` left the loop."""
        task = self._task
        ended = None if task is None or task.cancelled() else task.exception()
        # A signal that had to interrupt a callback gives the same exit status as any other.
        received = self._signals.received
        if isinstance(error, KeyboardInterrupt) and isinstance(ended, SystemExit):
            return ended
        if isinstance(error, KeyboardInterrupt) and len(received) > 1:  # it was in the main task
            return SystemExit(128 + received[-1])
        return error
