"""``async with`` blocks in which a supervision tree runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from beamish._runtime.process import OnDeath
from beamish._runtime.tasks import absorb_cancellation
from beamish.errors import ExitError
from beamish.gen_server import GenServer
from beamish.pid import Pid


@asynccontextmanager
async def cancelled_at_death_of(pid: Pid) -> AsyncIterator[None]:
    """Cancel the block if ``pid`` dies before its end, and raise `ExitError` from the block.

    Cancels the task that entered the block; another task can leave it.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - an async with statement runs in a task
    died: list[Any] = []

    def cancel(_: Pid, reason: Any) -> None:
        if not (isinstance(reason, str) and reason == "normal"):  # as along a link
            died.append(reason)
            task.cancel()

    watch = OnDeath(cancel)
    target = pid._process
    target.watch(watch)
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        if not died:
            raise
    finally:
        target.unwatch(watch)
    if died:
        if asyncio.current_task() is task:
            await absorb_cancellation(task, error)
        raise ExitError(died[0], pid)


async def stopped(supervisor: Pid | None) -> None:
    """Stop a supervisor and wait until it is dead, even if cancelled meanwhile.

    Each child has its shutdown time. Code after the block must not run before the tree has
    stopped, so the cancellation is raised afterwards.
    """
    if supervisor is None or supervisor._process is None:
        return
    stop = asyncio.ensure_future(GenServer.stop(supervisor, "shutdown"))
    cancelled: asyncio.CancelledError | None = None
    while not stop.done():
        try:
            await asyncio.wait([stop])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        stop.exception()  # retrieved, so that asyncio does not log it; the cancellation is raised
        raise cancelled
    stop.result()
