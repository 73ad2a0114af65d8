"""Events of the running system, for metrics and traces.

An event name is a tuple of strings; a handler receives the name, the measurements and the metadata.
Without handlers, an event costs one attribute check. `EVENTS` holds every event of beamish;
docs/telemetry.md describes them in one table. Programs can `execute` their own events.

When not to use it: to change the behaviour of a process. Handlers run where the event happens, in
the middle of the work; they must be fast and must not wait.

Source:
    Elixir's ``telemetry`` library.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from beamish.pid import Pid

__all__ = [
    "EVENTS",
    "Event",
    "Handler",
    "Keys",
    "Span",
    "attach",
    "attach_many",
    "carry",
    "detach",
    "enabled",
    "execute",
    "span",
]

Event: TypeAlias = tuple[str, ...]
Handler: TypeAlias = Callable[[Event, Mapping[str, Any], Mapping[str, Any]], object]


class Keys(NamedTuple):
    """The names of an event's measurements and metadata.

    Args:
        measurements: The names of its numbers; those of durations and times end in ``_seconds``.
        metadata: The names of its facts.
    """

    measurements: tuple[str, ...]
    metadata: tuple[str, ...]


def _span_events(prefix: Event, facts: tuple[str, ...]) -> dict[Event, Keys]:
    facts = ("span", *facts)
    return {
        (*prefix, "start"): Keys(("system_time_seconds",), facts),
        (*prefix, "stop"): Keys(("duration_seconds",), facts),
        (*prefix, "exception"): Keys(("duration_seconds",), (*facts, "error")),
    }


_PROCESS = ("beamish", "process")
_SUPERVISOR = ("beamish", "supervisor")
_CHILD = ("supervisor", "class", "id", "pid", "reason")

CALL = ("beamish", "call")
"""Prefix of the events of a call, measured at the client."""

CALLBACK = ("beamish", "callback")
"""Prefix of the events of a server's callback."""

EVENTS: Mapping[Event, Keys] = MappingProxyType(
    {
        (*_PROCESS, "start"): Keys(("count",), ("pid", "class")),
        (*_PROCESS, "exit"): Keys(("count",), ("pid", "class", "reason")),
        (*_PROCESS, "long_schedule"): Keys(
            ("duration_seconds",), ("pid", "class", "callback", "stack")
        ),
        (*_PROCESS, "long_message_queue"): Keys(("messages", "limit"), ("pid", "class")),
        **_span_events(CALL, ("dest", "pid", "class", "request")),
        **_span_events(CALLBACK, ("pid", "class", "callback")),
        (*_SUPERVISOR, "restart"): Keys(("count",), (*_CHILD, "new_pid")),
        (*_SUPERVISOR, "give_up"): Keys(("count",), _CHILD),
    }
)
"""Every event of beamish, with the names of its measurements and metadata."""

_log = logging.getLogger("beamish")
_lock = threading.Lock()  # handlers can be attached and detached in any thread
_handlers: dict[Event, tuple[tuple[Hashable, Handler], ...]] = {}
_carriers: dict[Hashable, tuple[Callable[[], Any], Callable[[Any], object]]] = {}

enabled: bool = False
"""Whether any handler is attached. Check it before you build an event."""

observes: bool = False
"""Whether calls and callbacks take the observed path.

They do while a handler of their events, or a carrier, is attached.
"""


def attach(id: Hashable, event: Event, handler: Handler) -> None:  # noqa: A002 - Elixir's word
    """Call ``handler(event, measurements, metadata)`` at each ``event``.

    A handler that raises is detached and its exception is logged.

    Args:
        id: Identifies the handler for `detach`.
        event: The name of the event, such as ``("beamish", "process", "exit")``.
        handler: The function to call.

    Raises:
        ValueError: A handler with this id is attached already.
        TypeError: ``event`` is not a tuple of strings, or ``handler`` cannot be called.

    Source:
        ``:telemetry.attach/4``, without its config argument: a closure holds it.
    """
    attach_many(id, (event,), handler)


def attach_many(id: Hashable, events: Iterable[Event], handler: Handler) -> None:  # noqa: A002
    """Call ``handler`` at each of ``events``; one `detach` removes it from all.

    Args:
        id: Identifies the handler for `detach`.
        events: The names of the events; `EVENTS` names all events of beamish.
        handler: The function to call.

    Raises:
        ValueError: A handler with this id is attached already, or ``events`` is empty.
        TypeError: One of ``events`` is not a tuple of strings, or ``handler`` cannot be called.

    Source:
        ``:telemetry.attach_many/4``.
    """
    wanted = list(dict.fromkeys(_check_events(events)))
    if not callable(handler):
        raise TypeError(f"handler must be a function of three arguments; got {handler!r}")
    with _lock:
        if any(id == known for handlers in _handlers.values() for known, _ in handlers):
            raise ValueError(f"a handler with the id {id!r} is already attached; detach it first")
        for event in wanted:
            _handlers[event] = (*_handlers.get(event, ()), (id, handler))
        _switch()


def _check_events(events: Iterable[Event]) -> list[Event]:
    if isinstance(events, str):
        raise TypeError(f"events must be tuples of strings; got {events!r}")
    checked = [_check_event(event) for event in events]
    if not checked:
        raise ValueError("events must name at least one event; got none")
    return checked


def _check_event(event: Any) -> Event:
    if not isinstance(event, tuple) or not event or not all(isinstance(p, str) for p in event):
        raise TypeError(f"event must be a tuple of strings; got {event!r}")
    return event


def carry(
    id: Hashable,  # noqa: A002 - as in attach
    capture: Callable[[], Any],
    restore: Callable[[Any], object],
) -> None:
    """Pass a value of the sender along with its casts and messages, until `detach`.

    A call runs in a copy of its caller's context, with every context variable. Casts and messages
    do not: the current span of a trace needs a carrier to follow them.

    Args:
        id: Identifies the carrier for `detach`; a handler can have the same id.
        capture: Called, without arguments, where a cast or message is sent.
        restore: Called with the result of ``capture``, in the context in which the server handles
            the message.

    Raises:
        ValueError: A carrier with this id is attached already.
        TypeError: ``capture`` or ``restore`` cannot be called.
    """
    for name, function in (("capture", capture), ("restore", restore)):
        if not callable(function):
            raise TypeError(f"{name} must be a function; got {function!r}")
    with _lock:
        if id in _carriers:
            raise ValueError(f"a carrier with the id {id!r} is already attached; detach it first")
        _carriers[id] = capture, restore
        _switch()


def detach(id: Hashable) -> bool:  # noqa: A002 - Elixir's word
    """Detach the handler and the carrier ``id``; return whether one was attached.

    Source:
        ``:telemetry.detach/1``.
    """
    with _lock:
        found = _carriers.pop(id, None) is not None
        for event, handlers in list(_handlers.items()):
            kept = tuple(handler for handler in handlers if handler[0] != id)
            found = found or len(kept) < len(handlers)
            if kept:
                _handlers[event] = kept
            else:
                del _handlers[event]
        _switch()
    return found


def _switch() -> None:
    global enabled, observes
    enabled = bool(_handlers or _carriers)
    observes = bool(_carriers) or any(event[:2] in (CALL, CALLBACK) for event in _handlers)


def execute(event: Event, measurements: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Call the handlers of ``event``.

    Source:
        ``:telemetry.execute/3``.
    """
    for id_, handler in _handlers.get(event, ()):
        try:
            handler(event, measurements, metadata)
        except Exception:  # a broken handler must not break the process that emits the event
            _log.exception("telemetry handler %r raised and has been detached", id_)
            detach(id_)


class Span:
    """A time span that emits its start when created, and its end on `stop` or `fail`.

    Use it for work that begins and ends in different functions; otherwise use `span`.

    Args:
        event: The prefix of its events.
        metadata: The metadata of each event, in addition to ``span``: an object that identifies
            the events of this span.
    """

    __slots__ = ("_began", "_event", "metadata")

    def __init__(self, event: Event, metadata: Mapping[str, Any]) -> None:
        self._event = event
        self.metadata: dict[str, Any] = {"span": object(), **metadata}
        self._began = time.perf_counter()
        execute((*event, "start"), {"system_time_seconds": time.time()}, self.metadata)

    def stop(self) -> None:
        """Emit ``stop``."""
        execute((*self._event, "stop"), self._measurements(), self.metadata)

    def fail(self, error: BaseException) -> None:
        """Emit ``exception`` with ``error``."""
        facts = {**self.metadata, "error": error}
        execute((*self._event, "exception"), self._measurements(), facts)

    def _measurements(self) -> dict[str, float]:
        return {"duration_seconds": time.perf_counter() - self._began}


@contextmanager
def span(event: Event, metadata: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Emit ``(*event, "start")``, then ``"stop"`` or ``"exception"`` with the duration.

    The block receives the metadata as a dict and can add to it.

    Args:
        event: The prefix of the three events.
        metadata: The metadata of each event.

    Raises:
        TypeError: ``event`` is not a tuple of strings.

    Source:
        ``:telemetry.span/3``. Differs: a block instead of a function; ``exception`` carries the
        exception itself.
    """
    running = Span(_check_event(event), metadata or {})
    try:
        yield running.metadata
    except BaseException as error:
        running.fail(error)
        raise
    running.stop()


# -- For the modules of beamish, which check `enabled` or `observes` first


def carried(context: Context) -> Context:
    """Return a copy of ``context`` with the carried values of the current context."""
    copy = context.copy()
    for id_, (capture, restore) in list(_carriers.items()):
        try:
            copy.run(restore, capture())
        except Exception:  # a broken carrier must not break the sender
            _log.exception("telemetry carrier %r raised and has been detached", id_)
            detach(id_)
    return copy


def process_start(pid: Pid, class_name: str) -> None:
    """Emit that a process started."""
    execute(("beamish", "process", "start"), {"count": 1}, {"pid": pid, "class": class_name})


def process_exit(pid: Pid, class_name: str, reason: Any) -> None:
    """Emit that a process ended."""
    facts = {"pid": pid, "class": class_name, "reason": reason}
    execute(("beamish", "process", "exit"), {"count": 1}, facts)


def supervisor(what: str, facts: Mapping[str, Any]) -> None:
    """Emit that a supervisor restarted a child or gave it up."""
    execute(("beamish", "supervisor", what), {"count": 1}, facts)
