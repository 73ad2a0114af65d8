"""Runs the callbacks of a server that its mailbox holds."""

from contextvars import Context, copy_context
from typing import Any, TypeAlias

from beamish._diagnostics import watchdog
from beamish._runtime.context import current_pid
from beamish._server.items import Queued, context_of

USUAL: Any = object()
"""The result that stands for all usual ones: nothing is left to do."""

# What was handled last, the number of items handled, the result of the last, and its exception.
Ran: TypeAlias = tuple[Queued, int, Any, BaseException | None]


@watchdog.mark
def run(process: Any, queued: Queued, context: Context, limit: int) -> Ran:
    """Run the callback of ``queued``, then those of casts and messages behind it in the mailbox.

    A cast or message that returns ``None`` and changes neither its context nor the mailbox leaves
    nothing to do but to take the next. So the loop is here, inside of the context: entering one,
    and making one, takes longer than handling such a message. Anything else ends the loop, and
    `ServerProcess.dispatch`, outside of the context, applies the result.

    Args:
        process: The server's process.
        queued: The first to handle; it is not in the mailbox.
        context: The current context: that of a call, or an empty one.
        limit: How many to handle at most; at 0, the first, without completing it.

    Returns:
        The last one handled, the number handled, the result of the last (`USUAL` if it is
        complete), and its exception.
    """
    current_pid.set(process.pid)
    server, mailbox = process.server, process.mailbox
    handle_cast = process.table.handle_cast.function
    unchanged = copy_context() if mailbox and limit > 1 else None
    handled = 0
    try:
        while True:
            handled += 1
            try:
                if queued.__class__ is not tuple:
                    process.callback = "handle_cast"
                    result = handle_cast(server, queued)
                elif len(queued) == 1:
                    process.callback = "handle_cast"
                    result = handle_cast(server, queued[0])
                else:
                    callback, args, kwargs, _, _ = queued
                    process.callback = callback.name
                    if kwargs is None:
                        result = callback.function(server, *args)
                    else:
                        result = callback.function(server, *args, **kwargs)
                    if not callback.plain:
                        return queued, handled, result, None
            except BaseException as error:
                return queued, handled, None, error
            if (
                result is not None
                or limit == 0
                or process.exit_pending is not None
                or process.debugging is not None
            ):
                return queued, handled, result, None
            process.handled += 1
            if (
                handled == limit
                or not mailbox
                or process.mailbox is not mailbox
                or context != unchanged
            ):
                break
            behind = mailbox[0]
            if behind.__class__ is tuple and len(behind) > 1 and context_of(behind) is not None:
                break
            queued = mailbox.popleft()
    finally:
        result = None  # the traceback of an error in a `Fail` can hold this frame
    process.callback = None
    return queued, handled, USUAL, None
