"""`simulate`: a program on a virtual clock, in an order that a seed decides.

`find_race` does so with many seeds.
"""

import asyncio
import inspect
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from beamish import _checks, process
from beamish import pid as pids
from beamish.testing.loop import SimulatedLoop
from beamish.testing.trace import Trace

T = TypeVar("T")

_FIRST_PID = 100


def simulate(
    main: Callable[[], Awaitable[T]],
    seed: int = 0,
    *,
    max_steps: int = 1_000_000,
    trace: Callable[[str], object] | None = None,
) -> T:
    """Run ``main()`` to its end on a virtual clock, in an order that ``seed`` decides.

    The clock jumps to the next timer when nothing can run, so that waiting takes no time. Among
    the processes, tasks and timers that are ready, the seed picks who is next; it also decides
    whether a call runs on the caller's stack, and how long each step takes. So each seed is
    another interleaving that could have happened, and the same seed is the same one each time,
    with the same pids. Messages between two processes stay in order, as always, and so do plain
    callbacks of the event loop. The ``random`` module is seeded too, for as long as it lasts.

    Not for code that reaches outside of its event loop: there are no sockets, subprocesses or
    signals, and threads (``asyncio.to_thread``) run in place. Clocks other than the loop's are as
    real as ever. It is called from a plain function: it makes an event loop of its own.

    Args:
        main: An async function without arguments. Its task is a process.
        seed: Decides; any whole number from 0 on.
        max_steps: How many steps of tasks, processes and timers to take at most.
        trace: Is called with a line for each step, such as ``print``. The last steps are kept
            anyhow.

    Returns:
        What ``main`` returns.

    Raises:
        DeadlockError: Everything waits; the message says who waits for what.
        StepLimitError: ``main`` has not ended after ``max_steps``; the message says what runs.
        Exception: Whatever ``main`` raises. A note on it tells the seed and the last steps.

    Source:
        Erlang's PULSE, a scheduler that is random and replays. Differs: the clock is part of it,
        and no code is instrumented.
    """
    _check(main, max_steps)
    _checks.count("seed", seed)
    if trace is not None and not callable(trace):
        raise TypeError(f"trace must be a function of a line of text, or None; got {trace!r}")
    steps = Trace(trace)

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        task.set_name(getattr(main, "__qualname__", "main"))
        try:
            async with process.attach():
                return await _started(main)
        finally:
            steps.end()

    def make_loop() -> asyncio.AbstractEventLoop:
        return SimulatedLoop(random.Random(seed), max_steps, steps)  # noqa: S311 - no secret

    with _as_if_first(seed), asyncio.Runner(loop_factory=make_loop) as runner:
        try:
            return runner.run(run())
        except BaseException as error:  # a failing test, too, is to tell its seed
            steps.end()
            error.add_note(f"simulated with seed={seed}; {steps.story()}")
            raise


def find_race(
    main: Callable[[], Awaitable[Any]],
    *,
    seeds: Iterable[int] = range(1_000),
    max_steps: int = 1_000_000,
) -> None:
    """Run ``main()`` with each seed, and raise what the first one raises that fails.

    Args:
        main: An async function without arguments, which raises if something went wrong. It is
            called anew for each seed, and keeps nothing from one to the next.
        seeds: What to try, in this order.
        max_steps: How many steps each of them may take.

    Raises:
        Exception: Whatever ``main`` raises. A note on it tells the seed and the last steps:
            replay it with ``simulate(main, seed)``.
    """
    _check(main, max_steps)
    for seed in seeds:
        simulate(main, seed, max_steps=max_steps)


def _started(main: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    awaitable = main()
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"main must be an async function; {main!r} returned {awaitable!r}")
    return awaitable


def _check(main: Any, max_steps: int) -> None:
    if not callable(main):
        raise TypeError(f"main must be an async function without arguments; got {main!r}")
    _checks.count("max_steps", max_steps, least=1)
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "a simulation makes an event loop of its own: call it from a plain function (def), "
            "not from inside the event loop that runs here"
        )


@contextmanager
def _as_if_first(seed: int) -> Iterator[None]:
    """Let pids, references and `random` be the same whatever came before, and restore them."""
    serials, state = pids._serials, random.getstate()
    pids._serials = itertools.count(_FIRST_PID)
    random.seed(seed)
    try:
        yield
    finally:
        pids._serials = serials
        random.setstate(state)
