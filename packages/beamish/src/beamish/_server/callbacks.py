"""Runs the callbacks of a server: one, or those of many casts and messages in one context."""

from contextvars import Context, copy_context
from typing import Any, TypeAlias

from beamish._diagnostics import watchdog
from beamish._runtime.context import current_pid
from beamish._server.items import Queued, shares_context

USUAL: Any = object()
"""The result that stands for all usual ones: nothing is left to do."""

# What was handled last, the number handled, the result of the last, and its exception.
Ran: TypeAlias = tuple[Queued, int, Any, BaseException | None]


@watchdog.mark
def run_one(
    process: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    """Run a callback of ``process``, and make it the current process of this context."""
    current_pid.set(process.pid)
    if kwargs is None:
        return function(process.server, *args)
    return function(process.server, *args, **kwargs)


@watchdog.mark
def run_many(process: Any, queued: Queued, context: Context, limit: int) -> Ran:
    """Run the callbacks of ``queued`` and of the casts and messages behind it in the mailbox.

    One that returns ``None`` and changes neither its context nor the mailbox leaves nothing to do
    but to take the next. So the loop is here, inside of the context: making and entering one takes
    longer than handling a cast. Anything else ends the loop, and `ServerProcess.dispatch`, outside
    of the context, applies the result.

    Args:
        process: The server's process, which has no debug option.
        queued: The first to handle; it is not in the mailbox, and `shares_context` is true of it.
        context: The current context, in which nothing has run.
        limit: How many to handle at most.

    Returns:
        The last one handled, the number handled, the result of the last (`USUAL` if it is
        complete), and its exception.
    """
    current_pid.set(process.pid)
    server, mailbox = process.server, process.mailbox
    handle_cast = process.table.handle_cast.function
    unchanged = copy_context()
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
            except BaseException as error:
                return queued, handled, None, error
            if result is not None or process.exit_pending is not None:
                return queued, handled, result, None
            process.handled += 1
            if (
                handled == limit
                or not mailbox
                or process.mailbox is not mailbox
                or context != unchanged
            ):
                break
            following = mailbox.popleft()
            # Only a tuple can have a context of its own: a bare request is not looked at further.
            if following.__class__ is tuple and not shares_context(following):
                mailbox.appendleft(following)
                break
            queued = following
    finally:
        result = None  # the traceback of an error in a `Fail` can hold this frame
    process.callback = None
    return queued, handled, USUAL, None
