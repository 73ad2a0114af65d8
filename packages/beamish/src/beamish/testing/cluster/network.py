"""The network between simulated machines: requests, delays, losses and cuts."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from beamish.cluster.errors import HostLostError
from beamish.testing.cluster.world import Machine, MachineLoop, World

MAX_DELAY_SECONDS = 0.02
MAX_SILENCE_SECONDS = 5.0
"""After so long without an answer over a cut connection, a request fails."""


class _Request:
    """One request that is not answered."""

    def __init__(self, source: MachineLoop, target: MachineLoop) -> None:
        self.source = source
        self.target = target
        self.reply: asyncio.Future[Any] = source.create_future()

    def fail(self, why: str) -> None:
        if not self.reply.done():
            self.reply.set_exception(HostLostError(why))

    def succeed(self, task: asyncio.Task[Any]) -> None:
        if not self.reply.done():
            if task.cancelled():
                self.fail("the host has ended")
            elif (error := task.exception()) is not None:
                self.reply.set_exception(error)
            else:
                self.reply.set_result(task.result())


class Network:
    """The connections between all machines.

    Args:
        world: The machines.
        loss: The share of requests whose connection breaks, before or after they have run.
    """

    def __init__(self, world: World, loss: float) -> None:
        self._world = world
        self._random = world.random
        self._loss = loss
        self._cuts: set[frozenset[str]] = set()
        self._open: dict[_Request, None] = {}

    # -- Faults

    def cut(self, first: str, second: str) -> None:
        """Drop all messages between two machines from now on."""
        self._cuts.add(frozenset((first, second)))

    def heal(self, first: str, second: str) -> None:
        """Undo `cut`."""
        self._cuts.discard(frozenset((first, second)))

    def reaches(self, source: Machine, target: Machine) -> bool:
        """Return whether messages arrive."""
        return frozenset((source.name, target.name)) not in self._cuts

    def break_requests(self, target: MachineLoop, why: str) -> None:
        """Fail all requests to a program, after a delay."""
        for request in list(self._open):
            if request.target is target:
                self._later(request.source, request.fail, why)

    # -- Requests

    async def request(
        self,
        target: MachineLoop,
        call: Callable[[], Awaitable[Any]],
        timeout: float | None = None,
    ) -> Any:
        """Run ``call()`` in another program, and return its result.

        Raises:
            HostLostError: The connection is lost; the call can have run.
        """
        source = asyncio.get_running_loop()
        assert isinstance(source, MachineLoop)  # noqa: S101 - all loops of a simulation are
        request = _Request(source, target)
        self._open[request] = None
        timer = None if timeout is None else source.call_later(timeout, request.fail, "no answer")
        try:
            self._send(source, target, request, self._arrive, request, call)
            return await request.reply
        finally:
            del self._open[request]
            if timer is not None:
                timer.cancel()

    def _send(
        self, source: MachineLoop, target: MachineLoop, request: _Request, *message: Any
    ) -> None:
        if not self.reaches(source.machine, target.machine):
            request.source.call_later(
                MAX_SILENCE_SECONDS, request.fail, "no answer", context=Context()
            )
        elif self._random.random() < self._loss:
            self._later(request.source, request.fail, "connection reset")
        elif target.machine.is_alive and target in target.machine.loops:
            self._later(target, *message)
        else:
            self._later(request.source, request.fail, "connection refused")

    def _later(self, loop: MachineLoop, function: Any, *args: Any) -> None:
        delay = self._random.random() * MAX_DELAY_SECONDS
        if self._random.random() < 0.01:
            delay *= 20
        if not loop.is_closed():
            loop.call_later(delay, function, *args, context=Context())

    def _arrive(self, request: _Request, call: Callable[[], Awaitable[Any]]) -> None:
        async def run() -> Any:
            return await call()

        task = request.target.create_task(run(), context=Context())
        task.add_done_callback(lambda task: self._answer(request, task))

    def _answer(self, request: _Request, task: asyncio.Task[Any]) -> None:
        self._send(request.target, request.source, request, request.succeed, task)
