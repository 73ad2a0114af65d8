"""Starts servers; a start whose ``init`` does not suspend completes at once, without a task."""

import asyncio
from collections.abc import Callable
from typing import Any

from beamish import _checks
from beamish._runtime import names
from beamish._runtime.context import current_pid
from beamish._runtime.runtime import running
from beamish._server.items import Start
from beamish._server.process import ServerProcess
from beamish._server.reports import shown_name
from beamish._server.table import CallbackTable
from beamish.child_spec import ChildSpec, SharedStart
from beamish.errors import (
    AlreadyRegisteredError,
    AlreadyStartedError,
    NoProcessError,
    StartError,
)
from beamish.pid import Name, Pid


class PendingStart:
    """The start of a server whose ``init`` is suspended."""

    __slots__ = ("_start", "process")

    def __init__(self, process: ServerProcess, start: Start) -> None:
        self.process = process
        self._start = start

    def on_end(self, listener: Callable[[StartError | None], None]) -> None:
        """Call ``listener`` with the error, or ``None``, in the same step in which it ends."""
        self._start.listener = listener

    async def wait(self, timeout: float | None = None) -> Pid:
        """Wait until the server has started, at most ``timeout`` seconds.

        On a timeout, or if the waiting task is cancelled, the server is killed.
        """
        process, start = self.process, self._start
        future = start.future = process.runtime.loop.create_future()
        timer = None
        if timeout is not None:
            timer = process.runtime.timers.after(timeout, lambda: process.abort_start("timeout"))
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            if process.phase == "starting":
                process.abort_start("killed")
                await asyncio.wait([future])  # until it is dead: its init can clean up first
            else:
                _kill_started(process)
            raise
        finally:
            if timer is not None:
                process.runtime.timers.cancel(timer)
        start.raise_error()
        return process.pid


def _kill_started(process: ServerProcess) -> None:
    """Kill a server that had already started when its starter was cancelled."""
    # Unlink first: otherwise the exit signal of the server would kill the starter, which can
    # handle its cancellation and continue, as with `asyncio.timeout`.
    if process.parent is not None:
        process.unlink(process.parent)
    process.kill("killed")


def begin(
    table: CallbackTable,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: Name | None,
    parent: Pid | None,
) -> Pid | PendingStart:
    """Start a server, linked to ``parent`` if that is not ``None``.

    Returns:
        The pid, or a `PendingStart` if ``init`` is suspended.

    Raises:
        StartError: The server failed to start.
    """
    process = ServerProcess(running(), table, name, current_pid.get())
    if name is not None:
        try:
            names.take(process, name)  # before __init__ runs, which can use the name
        except AlreadyRegisteredError as taken:
            process.discard()
            what = f"{table.qualname} {shown_name(name)}"
            if taken.pid is None:
                raise StartError(taken, what) from None
            raise AlreadyStartedError(taken.pid, what) from None
        except BaseException:
            process.discard()
            raise
        if process.phase != "starting":  # a name service has killed it
            raise StartError("killed", table.qualname)
    if parent is not None:
        process.parent = parent
        process.link(parent)
    start = process.initialise(args, kwargs)
    if start is None:
        return process.pid
    if process.phase == "starting":
        return PendingStart(process, start)
    start.raise_error()
    return process.pid


async def start(
    table: CallbackTable, args: tuple[Any, ...], kwargs: dict[str, Any], *, linked: bool
) -> Pid:
    """Start a server and wait for it; ``kwargs`` can contain ``name`` and ``timeout``."""
    name: Name | None = kwargs.pop("name", None)
    timeout: float | None = kwargs.pop("timeout", None)
    if name is not None:
        names.check_name(name)
    _checks.timeout(timeout)
    if table.prepare is None:
        table.check_init(*args, **kwargs)
    else:
        args, kwargs = table.prepare(args, kwargs)
    runtime = running()
    if not runtime.spend_budget():
        await runtime.yield_to_loop()
    begun = begin(table, args, kwargs, name, _starter() if linked else None)
    await runtime.notice_interruption()
    return await begun.wait(timeout) if isinstance(begun, PendingStart) else begun


def _starter() -> Pid:
    pid = current_pid.get()
    if pid is None or pid._process is None:
        raise NoProcessError(
            advice="start_link links to the calling process, but this code runs in no process; "
            "use start, or call it in a process (beamish.run, process.attach, a supervisor)"
        )
    if pid._runtime is not running():
        # Raises: a thread has inherited the context of a process of another event loop.
        pid._process.runtime.check_loop()
    return pid


class ServerStart:
    """The ``start`` of a server's child specification: ``start_link`` of a class with a name.

    Args:
        cls: The class of the server.
        name: Its name, or ``None``.
    """

    __slots__ = ("cls", "name")

    def __init__(self, cls: Any, name: Name | None) -> None:
        self.cls = cls
        self.name = name

    async def __call__(self, *args: Any, **kwargs: Any) -> Pid:
        """Start the server, linked to the calling process."""
        begun = self.begin(args, kwargs)
        return await begun.wait() if isinstance(begun, PendingStart) else begun

    def begin(self, args: tuple[Any, ...], kwargs: Any) -> Pid | PendingStart:
        """Start the server without suspending, linked to the calling process."""
        return begin(self.cls._beamish, args, kwargs, self.name, _starter())

    def __reduce__(self) -> tuple[Any, ...]:
        return ServerStart, (self.cls, self.name)

    def __repr__(self) -> str:
        name = "" if self.name is None else f", name={self.name!r}"
        return f"{self.cls.__qualname__}.start_link(...{name})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ServerStart):
            return NotImplemented
        return self.cls is other.cls and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.cls, self.name))


class ClassStart(SharedStart):
    """The start of the child specifications of one class, whose ids are the names.

    Args:
        cls: The class. It is also the id of a specification without a name.
    """

    __slots__ = ("cls",)

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def of(self, id: Any) -> ServerStart:  # noqa: A002 - the name of the field
        """Return the start of the specification with this id."""
        return ServerStart(self.cls, None if id is self.cls else id)

    def begin_child(self, spec: ChildSpec, parent: Pid) -> Pid | PendingStart:
        """Start the child of ``spec``, linked to ``parent``, the calling process."""
        name = None if spec.id is self.cls else spec.id
        kwargs: Any = spec.kwargs
        return begin(self.cls._beamish, spec.args, kwargs, name, parent)


def class_start(table: CallbackTable) -> ClassStart:
    """Return the start of the child specifications of a class, and keep it in its table."""
    start = table.start = ClassStart(table.cls)
    return start
