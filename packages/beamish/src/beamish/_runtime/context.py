"""Which process is running.

A call runs in a copy of its caller's context, so that the caller's variables (a request id, a
trace) reach the server; casts, messages and timers run in an empty one. `current_pid` is set in
each, so that asyncio tasks which a callback creates belong to its process; and nothing that a
callback sets leaks to anyone.
"""

from contextvars import ContextVar

from beamish.pid import Pid

current_pid: ContextVar[Pid | None] = ContextVar("beamish.current_pid", default=None)
