"""The time that cancelled code has to clean up before it is left to itself."""

import asyncio
import logging
from collections.abc import Callable

from beamish._runtime.process import Process

_log = logging.getLogger("beamish")

UNWIND_SECONDS = 5.0


def limit(process: Process, task: asyncio.Task[object], abandoned: Callable[[], None]) -> None:
    """Call ``abandoned`` if ``task``, cancelled for an exit signal, still runs much later.

    Python cannot kill a coroutine that swallows its cancellation; without a limit, the supervisor
    of such a process would wait for ever.
    """

    def check() -> None:
        if not task.done():
            _log.error(
                "process %r was told to exit %g s ago and still runs: %r ignores cancellation",
                process.pid,
                UNWIND_SECONDS,
                task,
            )
            abandoned()

    timers = process.runtime.timers
    timer = timers.after(UNWIND_SECONDS, check)
    task.add_done_callback(lambda _: timers.cancel(timer), context=process.runtime.context)
