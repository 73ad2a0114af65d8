"""The shutdown of a task by its owner."""

import asyncio
from typing import Any

from beamish import process
from beamish._runtime import one_or_many
from beamish._runtime.process import OnDeath, Process
from beamish._task.answer import TaskRef, caller, wait
from beamish.pid import Pid
from beamish.results import Exited


async def end(pid: Pid, ref: TaskRef, seconds: float | None, *, brutal: bool) -> Exited:
    """Unlink the process of a task, send it an exit signal, and wait until it is dead.

    Args:
        pid: The process.
        ref: Its owner's monitor, which can be closed.
        seconds: How long to wait after the exit signal ``"shutdown"`` before the process is
            killed; ``None`` waits without a limit.
        brutal: Whether to kill the process at once.

    Returns:
        The exit reason; ``"noproc"`` if the process was dead before.
    """
    task: Process | None = pid._process
    caller().unlink(pid)
    if task is None:
        await wait((ref,), None)  # after an earlier exit signal it can still be unwinding
        return Exited("noproc")
    death: asyncio.Future[Any] = task.runtime.loop.create_future()
    task.watchers = one_or_many.add(
        task.watchers, OnDeath(lambda _, reason: _resolve(death, reason))
    )
    task.reported = True  # not a crash, so its supervisor must not log it
    process.exit(pid, "kill" if brutal else "shutdown")
    timer = None
    if seconds is not None:
        timer = task.runtime.timers.after(seconds, lambda: process.exit(pid, "kill"))
    try:
        return Exited(await death)
    finally:
        if timer is not None:
            task.runtime.timers.cancel(timer)


def _resolve(future: asyncio.Future[Any], reason: Any) -> None:
    if not future.done():
        future.set_result(reason)
