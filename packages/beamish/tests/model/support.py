"""A world for state machines: an event loop with one process that does what it is told.

Hypothesis calls the rules one after another from outside of any event loop. Between two rules
nothing runs; within one, everything runs until all is quiet. The event loop is an ordinary one, or
a simulated one, whose seed is part of the example: so one and the same machine is played in the
order of asyncio, and in any other.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from beamish import (
    IGNORE,
    BeamishError,
    Down,
    GenServer,
    Pid,
    Registry,
    Stop,
    call,
    cast,
    process,
)
from beamish.testing import settle
from beamish.testing.loop import SimulatedLoop
from beamish.testing.trace import Trace

Result = TypeVar("Result")
seeds = st.integers(0, 1_000_000)
PATIENCE = 50.0
CLEAN_REASONS = ("normal", "shutdown", ("shutdown", "moved"))
REASONS = (*CLEAN_REASONS, "boom", ("boom", 1))


EXAMPLES = 60


def budget() -> settings:
    """Return up to 60 examples, always the same; with ``BEAMISH_MODEL_EXAMPLES=1000``, new ones."""
    examples = int(os.environ.get("BEAMISH_MODEL_EXAMPLES", EXAMPLES))
    new = examples > EXAMPLES
    return settings(
        max_examples=examples,
        stateful_step_count=60 if new else 30,
        derandomize=not new,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )


class CrashError(Exception):
    """What the players raise."""


class Player(GenServer):
    """Starts as its script says and ends as it is told."""

    def __init__(self, key: str, script: list[str]) -> None:
        self.key = key
        self.script = script

    def init(self) -> object:
        match self.script.pop(0) if self.script else "ok":
            case "raise":
                raise CrashError(f"{self.key} cannot start")
            case "ignore":
                return IGNORE
        return None

    @call
    def ask(self) -> str:
        return self.key

    @call
    def crash(self) -> None:
        raise CrashError(self.key)

    @cast
    def crash_later(self) -> None:
        raise CrashError(self.key)

    @cast
    def finish(self, reason: object) -> Stop:
        return Stop(reason)

    @call
    async def hang(self) -> None:
        await asyncio.get_running_loop().create_future()

    @call
    def tag(self, tag: str) -> None:
        Registry.register("tags", tag, self.key)


class AsyncPlayer(Player):
    """The same with callbacks that really suspend."""

    async def init(self) -> object:
        await asyncio.sleep(0)
        return super().init()

    @call
    async def crash(self) -> None:
        await asyncio.sleep(0)
        raise CrashError(self.key)

    @cast
    async def crash_later(self) -> None:
        await asyncio.sleep(0)
        raise CrashError(self.key)

    @cast
    async def finish(self, reason: object) -> Stop:
        await asyncio.sleep(0)
        return Stop(reason)

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)


class World:
    """Runs coroutines in one process, which traps exits, for as long as the machine lives.

    With a seed, they run on a simulated event loop.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._runner = asyncio.Runner(loop_factory=None if seed is None else simulated(seed))
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self._runner.run(self._open())

    def do(self, function: Callable[[], Awaitable[Result]]) -> Result:
        """What ``function`` returns or raises in the process."""
        return self._runner.run(self._ask(function))

    def close(self) -> None:
        """End the process and check that nothing is left."""
        try:
            self._runner.run(self._end())
        finally:
            self._runner.close()

    async def _open(self) -> None:
        self._task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        async with process.attach():
            process.flag(trap_exit=True)
            while request := await self._requests.get():
                function, answer = request
                try:
                    answer.set_result(await function())
                except Exception as error:
                    answer.set_exception(error)

    async def _ask(self, function: Callable[[], Awaitable[Result]]) -> Result:
        answer = asyncio.get_running_loop().create_future()
        self._requests.put_nowait((function, answer))
        await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            await self._task
        return await answer

    async def _end(self) -> None:
        self._requests.put_nowait(None)
        await self._task
        await settle()
        assert list(process.processes()) == []


def simulated(seed: int) -> Callable[[], asyncio.AbstractEventLoop]:
    """A maker of event loops that take every decision by ``seed``."""
    return lambda: SimulatedLoop(Random(seed), max_steps=100_000, trace=Trace())


async def outcome(awaitable: Awaitable[Any]) -> Any:
    """What it gives, or the library's error it raises."""
    try:
        return await awaitable
    except BeamishError as error:
        return error


async def gone(pid: Pid, act: Callable[[], object]) -> object:
    """Do ``act`` and wait for the death of ``pid``; the reason."""
    ref = process.monitor(pid)
    act()
    down = await process.receive(
        timeout=PATIENCE, match=lambda m: isinstance(m, Down) and m.ref == ref
    )
    return down.reason


def restarts(restart: str, reason: object) -> bool:
    """Elixir Supervisor, "Restart values" and "Exit reasons and restarts"."""
    return restart == "permanent" or (restart == "transient" and reason not in CLEAN_REASONS)
