"""The event loop of a simulation: a virtual clock, and a seed that decides the order."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from random import Random
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from beamish.testing import waiting
from beamish.testing.errors import DeadlockError, SimulationError, StepLimitError
from beamish.testing.lanes import Lanes
from beamish.testing.runtime import SimulatedRuntime
from beamish.testing.trace import Trace

T = TypeVar("T")
Args = TypeVarTuple("Args")

STEP_SECONDS = 0.0001  # the longest duration of a step
LATE_SECONDS = 0.001  # the longest delay of a timer, and of a function for a thread
_MIN_CANCELLED = 64  # up to so many cancelled timers, the heap is not rebuilt


class VirtualClock:
    """The clock of a simulation.

    Attributes:
        now: Seconds since the start of the simulation.
    """

    def __init__(self) -> None:
        self.now: float = 0.0


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop without files, sockets, signals or threads.

    Args:
        random: Makes every choice.
        max_steps: Maximum number of steps before `StepLimitError`.
        trace: Records each step.
        clock: The clock, if other loops share it.
    """

    def __init__(
        self, random: Random, max_steps: int, trace: Trace, clock: VirtualClock | None = None
    ) -> None:
        super().__init__()
        self.random = random
        self.trace = trace
        self._max_steps = self._steps_left = max_steps
        self.clock: VirtualClock = clock or VirtualClock()
        self._ready = Lanes(random)
        self._scheduled: list[asyncio.TimerHandle] = []
        self._cancelled = 0
        self._runtime: SimulatedRuntime | None = None
        self._settling: list[asyncio.Future[None]] = []
        self._task_numbers = itertools.count(1)

    def beamish_runtime(self, _: asyncio.AbstractEventLoop) -> SimulatedRuntime:
        """Return a new runtime for this loop."""
        self._runtime = SimulatedRuntime(self, self.random, self.trace)
        return self._runtime

    # -- The clock and its timers

    def time(self) -> float:
        """Return the seconds since the start of the simulation."""
        return self.clock.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call ``callback`` at ``when``, or a little later."""
        late = self.random.random() * LATE_SECONDS
        return super().call_at(when + late, callback, *args, context=context)

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        self._cancelled += 1
        if self._cancelled > _MIN_CANCELLED and self._cancelled * 2 > len(self._scheduled):
            self._scheduled = [timer for timer in self._scheduled if not timer.cancelled()]
            heapq.heapify(self._scheduled)
            self._cancelled = 0

    def _ring(self) -> None:
        """Move the due timers to the ready handles."""
        while self._scheduled and self._scheduled[0].when() <= self.clock.now:
            timer = heapq.heappop(self._scheduled)
            if timer.cancelled():
                self._cancelled = max(0, self._cancelled - 1)
            else:
                self._ready.append_timer(timer)

    def _next_timer(self) -> asyncio.TimerHandle | None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)
            self._cancelled = max(0, self._cancelled - 1)
        return self._scheduled[0] if self._scheduled else None

    # -- Steps

    def _run_once(self) -> None:  # called repeatedly by run_forever and run_until_complete
        if self._steps_left == 0:
            self._steps_left = self._max_steps  # for the cleanup
            raise StepLimitError(
                f"the simulation has not ended after {self._max_steps} steps "
                f"(max_steps) and {self.clock.now:g} simulated seconds\n{waiting.report()}"
            )
        self._steps_left -= 1
        self._run_handle(self._next())

    def _run_handle(self, handle: asyncio.Handle) -> None:
        if self._runtime is not None:
            self._runtime.begin_step()
        self.clock.now += self.random.random() * STEP_SECONDS
        try:
            self.trace.step(self.clock.now, handle)
        finally:  # a trace function that raises must not lose the step
            handle._run()

    def _next(self) -> asyncio.Handle:
        while True:
            self._ring()
            handle = self._ready.take()
            if handle is not None:
                return handle
            self._wait()

    def _wait(self) -> None:
        """Wake `settled`, or move the clock to the next timer, when nothing is ready."""
        settling, self._settling = self._settling, []
        timer = self._next_timer()
        if settling:
            for future in settling:
                if not future.done():
                    future.set_result(None)
        elif timer is not None:
            self.clock.now = max(self.clock.now, timer.when())
        else:
            raise DeadlockError(
                f"deadlock: nothing can run and no timer is scheduled\n{waiting.report()}"
            )

    async def settled(self) -> None:
        """Wait until nothing else can run at the current time."""
        future = self.create_future()
        self._settling.append(future)
        await future

    # -- The rest of an event loop

    def create_task(self, coro: Any, *, name: Any = None, **options: Any) -> Any:
        """Create a task whose name is the same in each replay."""
        name = f"Task-{next(self._task_numbers)}" if name is None else name
        return super().create_task(coro, name=name, **options)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Args], T], *args: *Args
    ) -> asyncio.Future[T]:
        """Call ``func`` in its own step, because a simulation has no threads."""
        future: asyncio.Future[T] = self.create_future()
        self.call_later(0, _run_in_place, future, func, args)
        return future

    def _write_to_self(self) -> None:
        """Do nothing: this loop never sleeps in a selector."""


def _run_in_place(
    future: asyncio.Future[T], func: Callable[[*Args], T], args: tuple[*Args]
) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except Exception as error:  # passed to the caller that awaits the future
        future.set_exception(error)


_ABSENT = """
add_reader add_signal_handler add_writer connect_accepted_socket connect_read_pipe
connect_write_pipe create_connection create_datagram_endpoint create_server
create_unix_connection create_unix_server getaddrinfo getnameinfo remove_reader
remove_signal_handler remove_writer sendfile sock_accept sock_connect sock_recv sock_recv_into
sock_recvfrom sock_recvfrom_into sock_sendall sock_sendfile sock_sendto start_tls
subprocess_exec subprocess_shell
"""


def _absent(name: str) -> Callable[..., NoReturn]:
    def method(self: SimulatedLoop, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError(
            f"loop.{name}: a simulation has no network, subprocesses or signals; "
            "replace them with a fake in the code under test"
        )

    return method


for _name in _ABSENT.split():
    setattr(SimulatedLoop, _name, _absent(_name))
