"""What `debug` has switched on for one server: trace, statistics, log."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_log = logging.getLogger("beamish")


@dataclass(frozen=True, slots=True)
class DebugEvent:
    """Something that a server did.

    Args:
        at: When, in seconds since the epoch.
        pid: The server.
        what: ``"received"`` or ``"handled"``.
        callback: The name of its callback.
        value: The arguments it received, or the result of the callback.
    """

    at: float
    pid: Any
    what: str
    callback: str
    value: Any

    def __str__(self) -> str:
        return f"*DBG* {self.pid!r} {self.what} {self.callback}: {self.value!r}"


class Debugging:
    """The debug options of one server; it takes no direct calls while there are any."""

    __slots__ = ("handlers", "log", "messages_in", "replies_out", "since")

    def __init__(self) -> None:
        self.handlers: list[Callable[[DebugEvent], object]] = []
        self.log: deque[DebugEvent] | None = None
        self.since: float | None = None  # when statistics began, in seconds since the epoch
        self.messages_in = 0
        self.replies_out = 0

    @property
    def is_on(self) -> bool:
        """Whether any option is on."""
        return bool(self.handlers) or self.log is not None or self.since is not None

    def received(self, process: Any, callback: Any, args: tuple[Any, ...]) -> None:
        """Note that a callback is about to run."""
        self.messages_in += 1
        self._note(process, "received", callback, args)

    def handled(self, process: Any, callback: Any, result: Any) -> None:
        """Note that a callback has returned."""
        self.replies_out += callback.is_call
        self._note(process, "handled", callback, result)

    def _note(self, process: Any, what: str, callback: Any, value: Any) -> None:
        event = DebugEvent(time.time(), process.pid, what, callback.name, value)
        if self.log is not None:
            self.log.append(event)
        for handler in tuple(self.handlers):
            try:
                handler(event)
            except Exception:  # the server is not to suffer from who watches it
                _log.exception("trace handler %r raised and has been removed", handler)
                self.handlers.remove(handler)
