"""`Application`: a supervision tree as one thing that starts and stops; and `run`.

When not to use it: for a single supervisor inside a function, `Supervisor.running` is enough.

Source:
    Elixir's ``Application``.
"""

import asyncio
import inspect
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from beamish import process
from beamish._strategy import Strategy
from beamish._supervision.blocks import cancelled_at_death_of, stopped
from beamish.errors import ExitError
from beamish.pid import Name, Pid
from beamish.supervisor import Supervisor

T = TypeVar("T")

_log = logging.getLogger("beamish")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Application:
    """A supervision tree with a beginning and an end.

    Define `children`; then ``async with App() as app:`` runs the tree inside any asyncio program,
    and ``beamish.run(App())`` as the main program.

    Args:
        config: Kept in ``self.config``, over what the class has there.

    Attributes:
        strategy: Of the top supervisor, as are ``max_restarts`` and ``max_seconds``.
        name: The top supervisor's name, if it is to have one.
        supervisor: The top supervisor's pid, while the application runs.

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
        """List the children in start order: `ChildSpec` values, or classes."""
        raise NotImplementedError(
            f"{type(self).__qualname__} must define children(self), which lists what to start"
        )

    def prep_stop(self) -> Any:
        """Prepare to stop; runs before the tree stops. May be async."""

    def stop(self) -> Any:
        """Clean up; runs after the tree has stopped. May be async."""

    # -- Running

    async def __aenter__(self) -> Self:
        if self.supervisor is not None:
            raise RuntimeError(f"{type(self).__qualname__} runs already; make another instance")
        self._block = self._running()
        await self._block.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._block.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with process.attach():
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
        # Watched instead of linked: its death is to end this block, not the process around it.
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
    """Run a coroutine, or an application until it is told to stop, as the main program.

    The main task is a process. SIGINT and SIGTERM cancel the coroutine, or stop the application's
    tree in reverse order, each child within its ``shutdown``; a second signal kills every process
    at once, and the program exits with 128 plus the signal's number.

    Args:
        main: A coroutine, or an `Application`.
        loop_factory: Makes the event loop, such as ``uvloop.new_event_loop``.

    Returns:
        What the coroutine returns; ``None`` after a signal, so that the exit status is 0.

    Raises:
        SystemExit: With status 1, when the application's tree has died of itself.

    Source:
        ``asyncio.run``, and the way in which ``mix run --no-halt`` starts and stops applications.
    """
    if not isinstance(main, Application) and not inspect.iscoroutine(main):
        raise TypeError(f"run needs an Application or a coroutine, as in run(main()); got {main!r}")
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_main(main))


async def _main(main: Application | Coroutine[Any, Any, T]) -> T | None:
    with _Signals() as signals:
        try:
            async with process.attach():
                if not isinstance(main, Application):
                    return await main
                async with main:
                    await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if not signals.received:
                raise
        except ExitError as error:
            if not isinstance(main, Application) and not signals.received:
                raise
            if not signals.received:
                _log.error("the application has died of itself: %s", error)
                raise SystemExit(1) from None
        if len(signals.received) > 1:
            raise SystemExit(128 + signals.received[-1])
        return None


class _Signals:
    """SIGINT and SIGTERM while the main task runs: the first cancels it, the second kills."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.getsignal(number)
                self._handle(number)
        return self

    def _handle(self, number: int) -> None:
        try:
            self._loop.add_signal_handler(number, self._receive, number)
        except NotImplementedError:  # a loop, or a system, that knows no signals
            receive = self._loop.call_soon_threadsafe
            signal.signal(number, lambda *_: receive(self._receive, number))

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            with suppress(NotImplementedError):
                self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if before is None else before)

    def _receive(self, number: int) -> None:
        self.received.append(number)
        assert self._task is not None  # noqa: S101 - run's main task
        match len(self.received):
            case 1:
                _log.info("%s: stopping", signal.Signals(number).name)
                self._task.cancel()
            case 2:
                _log.warning("%s again: killing all processes", signal.Signals(number).name)
                self._kill_all()
                self._task.cancel()
            case _:  # whatever it is that goes on, it does not want to end
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)

    def _kill_all(self) -> None:
        for pid in process.processes():
            attached = pid._process is not None and pid._process.task is self._task
            if not attached:
                process.exit(pid, "kill")
