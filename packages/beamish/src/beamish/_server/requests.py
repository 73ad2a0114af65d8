"""Sends calls and casts to servers, and waits for replies."""

import asyncio
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._diagnostics.brief import brief
from beamish._runtime.context import current_pid
from beamish._runtime.names import no_process, pid_of
from beamish._runtime.runtime import running
from beamish.errors import CallTimeoutError, ExitError, NoProcessError
from beamish.pid import Dest, Pid, Via
from beamish.results import Continue, Fail, Hibernate, NoReply, Reply, Stop, Timeout, _AnyResult

OPEN = object()
"""The value of a `From` without a reply."""


class From:
    """A call that waits for its reply; pass it to ``GenServer.reply`` to reply later.

    ``pid`` is the calling process, or ``None`` if the call was made outside any process. While the
    caller waits, ``future`` is what it waits for, and ``request`` has the request's name and
    arguments.

    Source:
        Erlang's ``From`` of ``handle_call/3``.
    """

    __slots__ = ("_dest", "_error", "_server", "_value", "future", "pid", "request")
    request: tuple[str, tuple[Any, ...]]

    def __init__(self, server: Any, dest: Dest) -> None:
        self.pid: Pid | None = current_pid.get()
        self._server: Any = server  # the process of the server; None once the call has ended
        self._dest = dest
        self._value: Any = OPEN
        self._error: BaseException | None = None
        self.future: asyncio.Future[Any] | None = None

    def __repr__(self) -> str:
        return f"From({self.pid!r})"

    def answer(self, reply: Any) -> None:
        """Reply with a value, or raise the error of a `Fail`; only the first reply counts."""
        if reply.__class__ is Fail:
            self.refuse(reply.error)
        else:
            self.resolve(reply)

    def refuse(self, error: Exception) -> None:
        """Raise ``error`` in the caller; only the first reply counts."""
        server = self._server
        if self._close():
            self._value = None  # a reply: an exit of the server no longer replaces the error
            self._error = error
            if self.future is not None and not self.future.done():
                self.future.set_exception(error)
            if server.debugging is not None:
                server.debugging.replied(server, self, Fail(error))

    def resolve(self, value: Any) -> None:
        """Reply with ``value``; only the first reply counts."""
        server = self._server
        if self._close():
            self._value = value
            if self.future is not None and not self.future.done():
                self.future.set_result(value)
            if server.debugging is not None:
                server.debugging.replied(server, self, value)

    def fail(self, reason: Any) -> None:
        """Raise `ExitError` in the caller because the server has exited for ``reason``."""
        self.fail_with(ExitError(reason, self._dest))

    def fail_with(self, error: BaseException) -> None:
        """Raise ``error`` in the caller, unless there is a reply."""
        if self._close() or self._value is OPEN:
            self._error = error
            if self.future is not None and not self.future.done():
                self.future.set_exception(error)

    def _close(self) -> bool:
        server, self._server = self._server, None
        if server is not None:
            server.call_ended(self)
        return server is not None

    @property
    def is_open(self) -> bool:
        """Whether the call still waits for its reply."""
        return self._server is not None

    def outcome(self) -> Any:
        """Return the reply, or raise the error."""
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: a reference cycle

    async def wait(self, name: str, args: tuple[Any, ...], timeout: float | None) -> Any:
        """Wait for the reply to this request, at most ``timeout`` seconds."""
        if not self.is_open:  # the call has ended, but the caller must still suspend once
            await running().yield_to_loop()
            return self.outcome()
        server = self._server
        runtime = server.runtime
        self.request = name, args
        self.future = runtime.loop.create_future()
        timer = None
        if timeout is not None:

            def expire() -> None:
                waiting = server.queue_length()
                request = describe(name, args)
                self.fail_with(CallTimeoutError(self._dest, request, timeout, waiting))

            timer = runtime.timers.after(timeout, expire)
        try:
            return await self.future  # pyright: ignore[reportGeneralTypeIssues]
        finally:
            if timer is not None:
                runtime.timers.cancel(timer)
            self._close()  # if the caller was cancelled, a late reply is dropped
            self.future = self._error = None


class FutureReply(_AnyResult):  # type: ignore[misc] # as `Fail`, a result of any type
    """The result of a method of the library's servers whose reply is the result of ``future``.

    The server handles other messages meanwhile, as after `NoReply`. Unlike with `NoReply`, the
    method takes no ``from_``, so that the call can use the fast path.
    """

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future

    def answer(self, from_: From) -> None:
        """Reply when the future is done; a caller that no longer waits does not cancel it."""

        def done(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                from_.fail("shutdown")
            elif future.exception() is not None:
                from_.fail(future.exception())
            else:
                from_.answer(future.result())

        self.future.add_done_callback(done)


SPECIAL = frozenset(
    {Reply, Fail, FutureReply, NoReply, Stop, Continue, Timeout, Hibernate, CoroutineType}
)
"""The types of results that are not just a reply."""


class PendingReply:
    """The result of `request` for a call that has no reply yet."""

    __slots__ = ("from_",)

    def __init__(self, from_: From) -> None:
        self.from_ = from_


class Unfinished:
    """A direct call that the native core has begun and that the client must complete.

    The core sets the attributes; as in `ServerProcess.finish_direct`, ``from_`` is ``None`` if the
    callback took none, and ``error`` is the exception that it raised.
    """

    __slots__ = ("context", "error", "from_", "process", "result")
    context: Any
    error: BaseException | None
    from_: From | None
    process: Any
    result: Any

    def finish(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Any:
        """Complete the call; return the reply or a `PendingReply`."""
        call = (dest, name, args, kwargs, self.from_, self.context)
        process, result, error = self.process, self.result, self.error
        # The client holds this object while it waits, and the traceback of the error its frame.
        self.process = self.result = self.error = self.from_ = self.context = None
        try:
            if error is None:
                return process.finish_direct(*call, result)
            raise error  # an error that `finish_direct` raises has it as its context
        except BaseException as raised:
            if raised is not error:
                raise
            return process.finish_direct(*call, error=error)
        finally:
            del error, result  # the error's traceback holds this frame: a reference cycle


NOT_DIRECT: Any = object.__new__(Unfinished)
"""What the native core returns for a call that it has not begun."""


def request(dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """Start a call; return the reply if there is one at once, otherwise a `PendingReply`."""
    process = find(dest)
    if process is None or not process.runtime.check_loop():
        return _no_process(dest)
    return process.request(dest, name, args, kwargs)


def _no_process(dest: Dest) -> PendingReply:
    """Raise that there is no process, or return a `PendingReply` that raises it.

    The latter when the time slice is over: a loop of calls to a dead process must not starve the
    event loop.
    """
    error = no_process(dest)
    if running().spend_budget():
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: a reference cycle
    from_ = From(None, dest)
    from_.fail_with(error)
    return PendingReply(from_)


def find(dest: Dest) -> Any:
    """Return the live process at ``dest``, or ``None``."""
    pid = dest.service.whereis_name(dest.name) if dest.__class__ is Via else pid_of(dest)  # pyright: ignore[reportAttributeAccessIssue]
    return None if pid is None else pid._process


async def call(
    dest: Dest,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    timeout: float | None,
) -> Any:
    """Make a call and wait for its reply."""
    span = telemetry.Span(telemetry.CALL, _facts(dest, name)) if telemetry.observes else None
    try:
        reply = await answer(request(dest, name, args, kwargs), name, args, timeout)
    except BaseException as error:
        if span is not None:
            span.fail(error)
        raise
    if span is not None:
        span.stop()
    return reply


def _facts(dest: Dest, name: str) -> dict[str, Any]:
    try:
        process = find(dest)
    except NoProcessError:  # an unknown registry: the call itself raises that error
        process = None
    pid, kind = (None, None) if process is None else (process.pid, process.kind())
    return {"dest": dest, "pid": pid, "class": kind, "request": name}


async def answer(reply: Any, name: str, args: tuple[Any, ...], timeout: float | None) -> Any:
    """Wait for ``reply`` if it is a `PendingReply`."""
    if reply.__class__ is PendingReply:
        return await reply.from_.wait(name, args, timeout)
    return reply


def cast(dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> None:
    """Send a cast; a dead or unknown destination drops it."""
    try:
        process = dest._process if dest.__class__ is Pid else find(dest)  # pyright: ignore[reportAttributeAccessIssue]
    except NoProcessError:  # an unknown registry
        return
    if process is not None:
        process.cast(name, args, kwargs)


def describe(name: str, args: tuple[Any, ...], limit: int = 200) -> str:
    """Return a request as text, at most ``limit`` characters."""
    if name in ("handle_call", "handle_cast", "handle_info"):
        return brief(args[0], limit)
    shown = f"{name}({', '.join(brief(arg, limit) for arg in args)})"
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
