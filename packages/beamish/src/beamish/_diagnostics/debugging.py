"""The options of `debug` that are on for one server: trace, statistics, log."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from beamish._diagnostics import state
from beamish.pid import Pid

_log = logging.getLogger("beamish")


@dataclass(frozen=True, slots=True)
class DebugEvent:
    """Something that a server did.

    Args:
        at: Time in seconds since the epoch.
        pid: The server.
        what: ``"received"``, ``"changed"``, ``"handled"``, ``"replied"`` or ``"raised"``.
        callback: The name of its callback; for a reply, of the running callback.
        value: The arguments received; the attributes that changed, each as ``repr`` showed it
            then; the result of the callback; the reply; or the exception.
        kind: The kind of a received item: ``"call"``, ``"cast"``, ``"message"``, or
            ``"callback"`` for a callback that the runtime runs, such as ``terminate``.
        peer: The calling process, if any.
        kwargs: Keyword arguments received.
    """

    at: float
    pid: Pid
    what: str
    callback: str | None
    value: Any
    kind: str = "callback"
    peer: Pid | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"*DBG* {self.pid!r} {self._told()}"

    def _told(self) -> str:
        match self.what:
            case "received":
                return (
                    f"received {self.kind} {self.callback}({self._arguments()}){self._by('from')}"
                )
            case "changed":
                return "changed " + ", ".join(f"{k} = {v}" for k, v in self.value.items())
            case "handled":
                return f"handled {self.callback}, which returned {state.shown(self.value)}"
            case "replied":
                return f"replied {state.shown(self.value)}{self._by('to')}"
            case _:
                return f"raised {state.shown(self.value)} in {self.callback}"

    def _arguments(self) -> str:
        named = (f"{name}={state.shown(value)}" for name, value in self.kwargs.items())
        return ", ".join((*map(state.shown, self.value), *named))

    def _by(self, preposition: str) -> str:
        return "" if self.peer is None else f" {preposition} {self.peer!r}"


class Debugging:
    """The debug options of one server; it takes no direct calls while there are any."""

    __slots__ = ("_before", "handlers", "log", "messages_in", "replies_out", "since")

    def __init__(self) -> None:
        self.handlers: list[Callable[[DebugEvent], object]] = []
        self.log: deque[DebugEvent] | None = None
        self.since: float | None = None  # start of the statistics, in seconds since the epoch
        self.messages_in = 0
        self.replies_out = 0
        self._before: dict[str, str] = {}  # the state before the running callback

    @property
    def is_on(self) -> bool:
        """Whether any option is on."""
        return self._shows or self.since is not None

    @property
    def _shows(self) -> bool:
        return bool(self.handlers) or self.log is not None

    def received(self, process: Any, item: Any) -> None:
        """Record that a callback is about to run."""
        callback, args, kwargs, from_, _ = item
        kind = _kind(process, callback)
        self.messages_in += kind != "callback"
        if not self._shows:
            return
        self._before = state.snapshot(process.server)
        if from_ is not None:
            args = tuple(arg for arg in args if arg is not from_)
            kwargs = {name: arg for name, arg in (kwargs or {}).items() if arg is not from_}
        peer = None if from_ is None else from_.pid
        self._note(process, "received", callback.name, args, kind, peer, kwargs or {})

    def handled(self, process: Any, callback: Any, result: Any) -> None:
        """Record that a callback has returned, and the attributes that it has changed."""
        if self._shows:
            self._compare(process, callback.name)
            self._note(process, "handled", callback.name, result)

    def raised(self, process: Any, callback: Any, error: BaseException) -> None:
        """Record that a callback has raised, and the attributes that it had changed."""
        if self._shows:
            self._compare(process, callback.name)
            self._note(process, "raised", callback.name, error)

    def replied(self, process: Any, from_: Any, value: Any) -> None:
        """Record the reply to a call."""
        self.replies_out += 1
        self._note(process, "replied", process.callback, value, "call", from_.pid)

    def _compare(self, process: Any, callback: str) -> None:
        before, after = self._before, state.snapshot(process.server)
        self._before = after
        changed = {name: after[name] for name in after if before.get(name) != after[name]}
        changed |= {name: "<deleted>" for name in before if name not in after}
        if changed:
            self._note(process, "changed", callback, changed)

    def _note(self, process: Any, what: str, *facts: Any) -> None:
        if not self._shows:
            return
        event = DebugEvent(time.time(), process.pid, what, *facts)
        if self.log is not None:
            self.log.append(event)
        for handler in tuple(self.handlers):
            try:
                handler(event)
            except Exception:  # an error of a trace handler must not end the traced server
                _log.exception("trace handler %r raised and has been removed", handler)
                self.handlers.remove(handler)


def _kind(process: Any, callback: Any) -> str:
    if callback.is_call:
        return "call"
    if callback is process.table.info:
        return "message"
    return "cast" if callback.plain and callback is not process.table.continued else "callback"
