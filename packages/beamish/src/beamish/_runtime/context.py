"""Which process is running.

Every callback runs in a copy of the context of whoever sent its message, with `current_pid` set:
so asyncio tasks that a callback creates belong to its process, context variables of the caller
(a request id, a trace) reach the server, and none that a callback sets leaks back.
"""

from contextvars import ContextVar

from beamish.pid import Pid

current_pid: ContextVar[Pid | None] = ContextVar("beamish.current_pid", default=None)
