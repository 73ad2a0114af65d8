"""`simulate` runs a program on a virtual clock in an order that a seed decides.

`find_race` tries many seeds.
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

    When nothing can run, the clock jumps to the next timer, so waiting takes no time. The seed
    picks the next of the ready processes, tasks and timers, decides which calls run on the
    caller's stack, and sets the duration of each step. Each seed is one possible interleaving;
    the same seed always repeats it, with the same pids. Messages between two processes stay in
    order, and so do plain callbacks of the event loop. The ``random`` module is seeded for the
    duration of the simulation.

    The simulated event loop has no sockets, subprocesses or signals; functions for threads
    (``asyncio.to_thread``) run in the loop's thread. Other clocks than the loop's are real. Call
    `simulate` from a plain function: it creates its own event loop.

    Args:
        main: An async function without arguments. Its task is a process.
        seed: Any integer from 0.
        max_steps: Maximum number of steps of tasks, processes and timers.
        trace: Called with a line of text for each step, for example ``print``. The last steps
            are recorded in any case.

    Returns:
        The result of ``main``.

    Raises:
        DeadlockError: All tasks and processes wait; the message says what each waits for.
        StepLimitError: ``main`` has not ended after ``max_steps``; the message says what runs.
        Exception: Any exception of ``main``, with a note that has the seed and the last steps.

    Source:
        Erlang's PULSE, a random scheduler with replay. Differs: it includes the clock and
        instruments no code.
    """
    _check(main, max_steps)
    _checks.count("seed", seed)
    if trace is not None and not callable(trace):
        raise TypeError(f"trace must be a function of a line of text, or None; got {trace!r}")
    steps = Trace(trace)

    def make_loop() -> asyncio.AbstractEventLoop:
        return SimulatedLoop(random.Random(seed), max_steps, steps)  # noqa: S311 - not a secret

    return run(main, seed, steps, make_loop)


def run(
    main: Callable[[], Awaitable[T]],
    seed: int,
    steps: Trace,
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> T:
    """Run ``main()`` as a process in a simulated event loop.

    Args:
        main: An async function without arguments.
        seed: Its seed.
        steps: Records the steps of the loop.
        make_loop: Creates the loop.
    """

    async def attached() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        task.set_name(getattr(main, "__qualname__", "main"))
        try:
            async with process.attach():
                return await _started(main)
        finally:
            steps.end()

    with _as_if_first(seed), asyncio.Runner(loop_factory=make_loop) as runner:
        try:
            return runner.run(attached())
        except BaseException as error:  # a failed test must report its seed too
            steps.end()
            error.add_note(f"simulated with seed={seed}; {steps.story()}")
            raise


def find_race(
    main: Callable[[], Awaitable[Any]],
    *,
    seeds: Iterable[int] = range(1_000),
    max_steps: int = 1_000_000,
) -> None:
    """Run ``main()`` with one seed after another until one raises.

    Args:
        main: An async function without arguments, which raises on a failure. It is called once
            for each seed and must not keep state between the calls.
        seeds: The seeds to try, in this order.
        max_steps: Maximum number of steps for each seed.

    Raises:
        Exception: The first exception of ``main``, with a note that has the seed and the last
            steps; repeat it with ``simulate(main, seed)``.
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
    _checks.count("max_steps", max_steps, minimum=1)
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "a simulation creates its own event loop: call it from a plain function (def), "
            "not inside a running event loop"
        )


@contextmanager
def _as_if_first(seed: int) -> Iterator[None]:
    """Make pids, references and `random` start at fixed values, and restore them."""
    serials, state = pids._serials, random.getstate()
    pids._serials = itertools.count(_FIRST_PID)
    random.seed(seed)
    try:
        yield
    finally:
        pids._serials = serials
        random.setstate(state)
