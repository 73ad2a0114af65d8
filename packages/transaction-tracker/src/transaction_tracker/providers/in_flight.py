"""The requests in flight to one provider, which end with its process."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from beamish import Pid, process
from transaction_tracker.sources import TransportError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class NotRunningError(TransportError):
    """The process of the provider is not running; this says nothing about its node."""


class InFlight:
    """The requests in flight to a provider, while its process runs.

    Each request runs in its own task, so that it can be cancelled without its caller. The caller
    then gets an error, and can ask another provider. A request is cancelled with its caller.

    Args:
        name: Name of the provider.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._provider: Pid | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, provider: Pid) -> None:
        """Accept requests until ``end``, or until the process ``provider`` has ended."""
        self.end()
        self._provider = provider
        process.spawn(self._end_with, provider)

    def end(self) -> None:
        """Cancel all requests, and accept no others."""
        self._provider = None
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()

    async def run(self, send: Callable[[*Ts], Coroutine[Any, Any, T]], *args: *Ts) -> T:
        """Send a request, and return its result.

        Raises:
            NotRunningError: The process is not running, or ended before the result arrived.
        """
        if self._provider is None:
            raise self._error()
        task = asyncio.create_task(send(*args))
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task in self._tasks or (caller is not None and caller.cancelling()):
                raise
            raise self._error() from None
        finally:
            self._tasks.discard(task)

    async def _end_with(self, provider: Pid) -> None:
        # A process that is killed cannot end its requests itself.
        process.monitor(provider)
        await process.receive()
        if self._provider == provider:  # otherwise a successor has begun
            self.end()

    def _error(self) -> NotRunningError:
        return NotRunningError(f"{self._name}: its process is not running")
