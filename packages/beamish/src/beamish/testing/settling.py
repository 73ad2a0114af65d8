"""`settle`: wait until everything that can happen by itself has happened."""

import asyncio
from typing import Any

from beamish import _checks
from beamish._runtime.runtime import Runtime, running
from beamish.testing import waiting
from beamish.testing.loop import SimulatedLoop

# Between the end of one task and the start of what waited for it, callbacks of asyncio may need
# turns of the loop in which nothing is to be seen.
_QUIET_TURNS = 10


async def settle(*, max_turns: int = 10_000) -> None:
    """Wait until no process of the running event loop can go on by itself.

    Then no message waits for a process that could take it, and every callback and task has
    returned or waits for something that only time, the caller or the outside can bring. Time does
    not pass for it: messages of `process.send_after` are not waited for.

    Args:
        max_turns: How many turns of the event loop to wait at most.

    Raises:
        TimeoutError: Something goes on and on; the message says what.
    """
    _checks.count("max_turns", max_turns, least=1)
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
    if runtime.has_ready:
        return True
    me = asyncio.current_task()
    if any(_can_run(task) for task in asyncio.all_tasks(runtime.loop) if task is not me):
        return True
    # A task that is done has still to tell its process so.
    return any(_has_returned(pid._process) for pid in runtime.processes)


def _can_run(task: asyncio.Task[Any]) -> bool:
    waits_for = task._fut_waiter  # type: ignore[attr-defined] # asyncio says it nowhere else
    return waits_for is None or waits_for.done()


def _has_returned(process: Any) -> bool:
    return process is not None and process.task is not None and process.task.done()
