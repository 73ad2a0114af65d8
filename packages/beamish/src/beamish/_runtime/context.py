"""The context variable that holds the running process.

A call runs in a copy of its caller's context, so that the caller's variables (a request id, a
trace) reach the server; casts, messages and timers run in an empty context. `current_pid` is set
in each, so that asyncio tasks that a callback creates belong to its process. A variable that a
callback sets stays in its own copy.
"""

from contextvars import ContextVar

from beamish.pid import Pid

current_pid: ContextVar[Pid | None] = ContextVar("beamish.current_pid", default=None)
