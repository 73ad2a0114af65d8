"""What stands in a server's mailbox, and the requests of the runtime itself."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import FrozenInstanceError
from typing import Any, TypeAlias

from beamish._runtime.process import SystemRequest
from beamish._server.requests import From
from beamish._server.table import Callback
from beamish.errors import StartError
from beamish.pid import Pid
from beamish.results import Stop

# The callback, its arguments, who waits for its reply, and the caller's context; what nobody
# waits for (a cast, a message) runs in a context of the runtime.
Item: TypeAlias = tuple[
    Callback, tuple[Any, ...], dict[str, Any] | None, From | None, Context | None
]


def _run_system(_: object, process: Any, request: SystemRequest) -> Any:
    return request.run(process)


def _initialise(_: object, process: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    table = process.table
    server = process.server = table.cls.__new__(table.cls)
    try:
        server.pid = process.pid
    except (FrozenInstanceError, TypeError):  # a frozen dataclass; with slots, its super() fails
        object.__setattr__(server, "pid", process.pid)
    server.__init__(*args, **kwargs)
    return None if table.init is None else table.init(server)


SYSTEM = Callback("system", _run_system)
INIT = Callback("init", _initialise)


class ParentExit:
    """The exit signal of the parent of a server that traps exits: an order to terminate."""

    def __init__(self, reason: Any) -> None:
        self._reason = reason

    def run(self, process: Any) -> Stop:
        """Stop the server."""
        process.reported = True  # the parent knows why it ends its children
        return Stop(self._reason)


class ChildExit:
    """The exit of a child of a supervisor, which decides at once what to do about it."""

    def __init__(self, pid: Pid, reason: Any, reported: bool) -> None:
        self._facts = (pid, reason, reported)

    def run(self, process: Any) -> Any:
        """Tell the supervisor."""
        return process.server._child_exited(*self._facts)


class Start:
    """How the start of a server ended; or, while its ``init`` waits, who waits for it."""

    __slots__ = ("error", "future", "listener")

    def __init__(self) -> None:
        self.error: StartError | None = None
        self.listener: Callable[[StartError | None], None] | None = None
        self.future: asyncio.Future[None] | None = None

    def raise_error(self) -> None:
        """Raise the error of the start, if there is one, and keep neither it nor its traceback."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # else it, its traceback and this frame would hold one another

    def done(self, error: StartError | None = None) -> None:
        """Tell the starter."""
        self.error = error
        if self.listener is not None:
            self.listener(error)
        if self.future is not None and not self.future.done():
            self.future.set_result(None)
