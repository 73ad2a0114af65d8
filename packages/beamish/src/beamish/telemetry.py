"""Events of the running system, for metrics and traces.

An event is a tuple of strings; its handler gets the event, its measurements and its metadata. As
long as no handler is attached, an event costs one attribute check.

| Event | Measurements | Metadata |
|---|---|---|
| `("beamish", "process", "start")` | `count` | `pid`, `class` |
| `("beamish", "process", "exit")` | `count` | `pid`, `class`, `reason` |
| `("beamish", "process", "long_schedule")` | `duration_seconds` | `pid`, `class`, `callback` |
| `("beamish", "call", "stop")` | `duration_seconds` | `dest`, `request` |
| `("beamish", "call", "exception")` | `duration_seconds` | `dest`, `request`, `error` |
| `("beamish", "supervisor", "restart")` | `count` | `supervisor`, `id`, `pid`, `reason` |
| `("beamish", "supervisor", "give_up")` | `count` | `supervisor`, `id`, `pid`, `reason` |

`count` is 1; `request` names the method or shows the request.

When not to use it: to change what a process does. Handlers run where the event happens, in the
middle of the work; they must be quick and must not wait.

Source:
    Elixir's ``telemetry`` library.
"""

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from beamish.pid import Pid

Event: TypeAlias = tuple[str, ...]
Handler: TypeAlias = Callable[[Event, Mapping[str, Any], Mapping[str, Any]], object]

_log = logging.getLogger("beamish")
_handlers: dict[Event, dict[Hashable, Handler]] = {}

enabled = False
"""Whether any handler is attached."""


def attach(id: Hashable, event: Event, handler: Handler) -> None:  # noqa: A002 - Elixir's word
    """Call ``handler(event, measurements, metadata)`` at each ``event``.

    A handler that raises is detached, with a line in the log.

    Args:
        id: Names the handler, for `detach`.
        event: Which event, such as ``("beamish", "process", "exit")``.
        handler: What to call.

    Raises:
        ValueError: A handler with this id is attached already.
        TypeError: ``event`` is not a tuple of strings, or ``handler`` cannot be called.

    Source:
        ``:telemetry.attach/4``, without its config argument: a closure holds it.
    """
    if not isinstance(event, tuple) or not event or not all(isinstance(p, str) for p in event):
        raise TypeError(f"event must be a tuple of strings; got {event!r}")
    if not callable(handler):
        raise TypeError(f"handler must be a function of three arguments; got {handler!r}")
    if any(id in handlers for handlers in _handlers.values()):
        raise ValueError(f"a handler with the id {id!r} is already attached; detach it first")
    _handlers.setdefault(event, {})[id] = handler
    _switch()


def detach(id: Hashable) -> bool:  # noqa: A002 - Elixir's word
    """Detach the handler ``id``; say whether there was one.

    Source:
        ``:telemetry.detach/1``.
    """
    found = [event for event, handlers in _handlers.items() if id in handlers]
    for event in found:
        del _handlers[event][id]
        if not _handlers[event]:
            del _handlers[event]
    _switch()
    return bool(found)


def _switch() -> None:
    global enabled
    enabled = bool(_handlers)


def execute(event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Tell the handlers of ``event``.

    Source:
        ``:telemetry.execute/3``.
    """
    for id_, handler in list(_handlers.get(event, {}).items()):
        try:
            handler(event, measurements, metadata)
        except Exception:  # a handler's fault harms nobody but itself
            _log.exception("telemetry handler %r raised and has been detached", id_)
            detach(id_)


@contextmanager
def span(event: Event, metadata: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Emit ``(*event, "start")``, then ``"stop"`` or ``"exception"`` with the time it took.

    Source:
        ``:telemetry.span/3``.
    """
    facts = dict(metadata or {})
    began = time.perf_counter()
    execute((*event, "start"), {"monotonic_time": began}, facts)
    try:
        yield
    except BaseException as error:
        _end(event, "exception", began, {**facts, "error": error})
        raise
    _end(event, "stop", began, facts)


def _end(event: Event, how: str, began: float, metadata: Mapping[str, Any]) -> None:
    execute((*event, how), {"duration_seconds": time.perf_counter() - began}, metadata)


def process_start(pid: Pid, class_name: str) -> None:
    """Emit that a process has started."""
    execute(("beamish", "process", "start"), {"count": 1}, {"pid": pid, "class": class_name})


def process_exit(pid: Pid, class_name: str, reason: Any) -> None:
    """Emit that a process has died."""
    facts = {"pid": pid, "class": class_name, "reason": reason}
    execute(("beamish", "process", "exit"), {"count": 1}, facts)


def supervisor(what: str, supervisor: Any, id: Any, pid: Pid | None, reason: Any) -> None:  # noqa: A002
    """Emit that a supervisor restarts a child, or gives it up."""
    facts = {"supervisor": supervisor, "id": id, "pid": pid, "reason": reason}
    execute(("beamish", "supervisor", what), {"count": 1}, facts)
