"""`settle`: wait until no process can continue by itself."""

import asyncio
from typing import Any

from beamish import _checks
from beamish._runtime.runtime import Runtime, running
from beamish.testing import waiting
from beamish.testing.loop import SimulatedLoop

# Between the end of a task and the start of its waiter, asyncio's callbacks can need turns of the
# loop in which no work is visible.
_QUIET_TURNS = 10


async def settle(*, max_turns: int = 10_000) -> None:
    """Wait until no process of the running event loop can continue by itself.

    Afterwards, all messages that a process can handle are handled, and every callback and task has
    returned, or waits for a timer, for the caller or for input from outside. `settle` does not
    advance the clock: it does not wait for messages of `process.send_after`.

    Args:
        max_turns: Maximum number of turns of the event loop to wait.

    Raises:
        TimeoutError: A process or task runs on and on; the message says which.
    """
    _checks.count("max_turns", max_turns, minimum=1)
    runtime = running()
    if isinstance(runtime.loop, SimulatedLoop):
        await runtime.loop.settled()
        return
    quiet = 0
    for _ in range(max_turns):
        quiet = 0 if _is_busy(runtime) else quiet + 1
        if quiet > _QUIET_TURNS:
            return
        await asyncio.sleep(0)
    raise TimeoutError(f"not settled after {max_turns} turns of the event loop\n{waiting.report()}")


def _is_busy(runtime: Runtime) -> bool:
    if runtime.has_runnable:
        return True
    me = asyncio.current_task()
    if any(_can_run(task) for task in asyncio.all_tasks(runtime.loop) if task is not me):
        return True
    # The process of a finished task has not been notified yet.
    return any(_has_returned(pid._process) for pid in runtime.processes)


def _can_run(task: asyncio.Task[Any]) -> bool:
    waits_for = task._fut_waiter  # type: ignore[attr-defined] # the only place where asyncio shows it
    return waits_for is None or waits_for.done()


def _has_returned(process: Any) -> bool:
    return process is not None and process.task is not None and process.task.done()
