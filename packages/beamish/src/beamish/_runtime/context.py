"""Which process is running.

Every callback runs in a copy of the context of whoever sent its message, with `current_pid` set:
so asyncio tasks that a callback creates belong to its process, context variables of the caller
(a request id, a trace) reach the server, and none that a callback sets leaks back.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from beamish.pid import Pid

current_pid: ContextVar[Pid | None] = ContextVar("beamish.current_pid", default=None)


def enter(
    pid: Pid,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
) -> Any:
    """Become ``pid`` in this context, and call ``function``."""
    current_pid.set(pid)
    return function(*args, **kwargs) if kwargs else function(*args)
