"""The limit on the time that cancelled code can take to clean up."""

import asyncio
import logging
from collections.abc import Callable

from beamish._runtime.process import Process

_log = logging.getLogger("beamish")

UNWIND_SECONDS = 5.0


def limit(process: Process, task: asyncio.Task[object], abandoned: Callable[[], None]) -> None:
    """Call ``abandoned`` if ``task``, which was cancelled, still runs after `UNWIND_SECONDS`.

    Python cannot kill a coroutine that suppresses its cancellation. Without a limit, its process
    would never exit: links and monitors would not be notified, and no supervisor restart it.
    """

    def check() -> None:
        if not task.done():
            _log.error(
                "process %r was told to exit %g s ago and still runs: %r ignores cancellation; "
                "let CancelledError pass in its code",
                process.pid,
                UNWIND_SECONDS,
                task,
            )
            abandoned()

    timers = process.runtime.timers
    timer = timers.after(UNWIND_SECONDS, check)
    task.add_done_callback(lambda _: timers.cancel(timer), context=process.runtime.context)
