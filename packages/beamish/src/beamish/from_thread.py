"""Call, cast and send to processes from another thread.

All other functions of beamish must be called in the thread of the event loop. These functions take
a `Pid`, which knows its loop. Do not call them in the thread of that loop: they would block it.

When not to use it: inside the event loop; ``await GenServer.call(...)`` there.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from beamish import process
from beamish._runtime.runtime import Runtime
from beamish._server.clients import CALL_TIMEOUT
from beamish.errors import NoProcessError
from beamish.gen_server import GenServer
from beamish.pid import Pid

__all__ = ["call", "cast", "send"]

_CHECK_SECONDS = 0.5  # between checks whether the loop is closed


def call(
    pid: Pid, request: Any, *args: Any, timeout: float | None = CALL_TIMEOUT, **kwargs: Any
) -> Any:
    """Call a server from another thread, and wait for its reply.

    Args:
        pid: The server.
        request: A request for ``handle_call``, or a client function such as
            ``Counter.increment``.
        args: Arguments of the client function.
        timeout: Seconds to wait; ``None`` waits without a limit.
        kwargs: Keyword arguments of the client function.

    Raises:
        ExitError: As in ``GenServer.call``.
        RuntimeError: Called in the thread of the server's event loop.
    """
    runtime = _runtime(pid)
    if runtime.loop.is_closed():
        raise _loop_is_closed(pid)
    if asyncio._get_running_loop() is runtime.loop:
        raise RuntimeError(
            "from_thread.call would block the event loop of its server; "
            "await GenServer.call(...) instead"
        )
    if _is_client(request, "timeout"):
        coroutine = request.timeout(timeout)(pid, *args, **kwargs)
    else:
        _refuse_more(args, kwargs)
        coroutine = GenServer.call(pid, request, timeout)
    try:
        asked = asyncio.run_coroutine_threadsafe(coroutine, runtime.loop)
    except RuntimeError as error:
        coroutine.close()
        if runtime.loop.is_closed():
            raise _loop_is_closed(pid) from error
        raise
    try:
        return _result(asked, pid, runtime.loop)
    finally:
        if runtime.loop.is_closed():
            coroutine.close()  # the closed loop never will


def _result(asked: Future[Any], pid: Pid, loop: asyncio.AbstractEventLoop) -> Any:
    """Wait for a reply; raise when the loop is closed, which never times out by itself."""
    while True:
        try:
            return asked.result(_CHECK_SECONDS)
        except CancelledError:
            raise _loop_is_closed(pid) from None
        except TimeoutError:
            if asked.done():  # the timeout of the call itself
                raise
            if loop.is_closed():
                raise _loop_is_closed(pid) from None


def _loop_is_closed(pid: Pid) -> NoProcessError:
    return NoProcessError(pid, f"{pid!r} is dead: its event loop is closed")


def cast(pid: Pid, request: Any, *args: Any, **kwargs: Any) -> None:
    """Cast to a server from another thread; ``request`` can be a client function, as in `call`."""
    if _is_client(request, "request_name"):
        _soon(pid, lambda: request(pid, *args, **kwargs))
    else:
        _refuse_more(args, kwargs)
        _soon(pid, lambda: GenServer.cast(pid, request))


def send(pid: Pid, message: Any) -> None:
    """Send ``message`` to a process from another thread."""
    _soon(pid, lambda: process.send(pid, message))


def _soon(pid: Pid, action: Callable[[], object]) -> None:
    loop = _runtime(pid).loop
    try:
        loop.call_soon_threadsafe(action)
    except RuntimeError:
        if not loop.is_closed():
            raise
        # The loop is closed, so the process is dead; messages to it are dropped.


def _is_client(request: Any, attribute: str) -> bool:
    return callable(request) and hasattr(request, "request_name") and hasattr(request, attribute)


def _refuse_more(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if args or kwargs:
        raise TypeError("further arguments are for client functions such as Counter.increment")


def _runtime(pid: object) -> Runtime:
    if not isinstance(pid, Pid):
        raise TypeError(f"from_thread takes the Pid of a process; got {pid!r}")
    runtime: Runtime = pid._runtime
    return runtime
