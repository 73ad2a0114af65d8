"""The items of a server's mailbox, and the requests that the runtime sends to servers."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import FrozenInstanceError
from typing import Any, TypeAlias

from beamish._runtime.process import SystemRequest
from beamish._server import handoff
from beamish._server.requests import From
from beamish._server.table import Callback
from beamish.errors import StartError
from beamish.pid import Pid
from beamish.results import Stop

# An item: ``callback, args, kwargs, from_, context``. The last two are the `From` of a call and the
# context of its caller; casts and messages have neither, and run in an empty context. A tuple,
# because each message makes one: an object with attributes takes five times as long to create.
# Code unpacks it into these names, or uses the functions below.
Item: TypeAlias = tuple[
    Callback, tuple[Any, ...], dict[str, Any] | None, From | None, Context | None
]

# A mailbox holds items, and the bare requests of ``GenServer.cast``, for which nothing is
# allocated: whatever is not a tuple is such a request. One that is a tuple itself is wrapped in a
# tuple of one. `ServerProcess.item_of` makes an item of both.
Queued: TypeAlias = Any


def callback_of(item: Item) -> Callback:
    """Return the callback that handles ``item``."""
    callback, _, _, _, _ = item
    return callback


def caller_of(item: Item | None) -> From | None:
    """Return the `From` if ``item`` is a call, otherwise ``None``."""
    if item is None:
        return None
    _, _, _, from_, _ = item
    return from_


def context_of(item: Item) -> Context | None:
    """Return the context in which ``item`` is handled, or ``None`` for an empty one."""
    _, _, _, _, context = item
    return context


def is_system(queued: Queued) -> bool:
    """Return whether something from a mailbox is a system request."""
    return queued.__class__ is tuple and len(queued) > 1 and callback_of(queued) is SYSTEM


def shares_context(queued: Queued) -> bool:
    """Return whether ``queued`` is a cast or message that has no context of its own."""
    if queued.__class__ is not tuple or len(queued) == 1:
        return True
    callback, _, _, _, context = queued
    return context is None and callback.plain


def _run_system(_: object, process: Any, request: SystemRequest) -> Any:
    return request.run(process)


def _initialise(_: object, process: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    table = process.table
    server = process.server = table.cls.__new__(table.cls)
    try:
        server.pid = process.pid
    except (FrozenInstanceError, TypeError):  # frozen dataclass; TypeError: with slots as well
        object.__setattr__(server, "pid", process.pid)
    server.__init__(*args, **kwargs)
    if table.init is None:
        return None
    if table.takes_handoff:
        return table.init(server, handoff=handoff.accept())
    return table.init(server)


SYSTEM = Callback("system", _run_system)
INIT = Callback("init", _initialise, plain=True)


class ParentExit:
    """The exit signal of the parent, sent to a server that traps exits: it terminates."""

    def __init__(self, reason: Any) -> None:
        self._reason = reason

    def run(self, process: Any) -> Stop:
        """Stop the server."""
        process.reported = True  # the parent stops its child: not a crash to log
        return Stop(self._reason)


class ChildExit:
    """The exit of a child, sent to its supervisor."""

    def __init__(self, pid: Pid, reason: Any, reported: bool) -> None:
        self._facts = (pid, reason, reported)

    def run(self, process: Any) -> Any:
        """Run the supervisor's ``_child_exited``."""
        return process.server._child_exited(*self._facts)


class Start:
    """The start of a server: its error, or the listener and future of a pending start."""

    __slots__ = ("error", "future", "listener")

    def __init__(self) -> None:
        self.error: StartError | None = None
        self.listener: Callable[[StartError | None], None] | None = None
        self.future: asyncio.Future[None] | None = None

    def raise_error(self) -> None:
        """Raise the error of the start, if there is one, and drop the reference to it."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame: a reference cycle

    def done(self, error: StartError | None = None) -> None:
        """Set the result of the start: ``None`` or its error."""
        self.error = error
        if self.listener is not None:
            self.listener(error)
        if self.future is not None and not self.future.done():
            self.future.set_result(None)
