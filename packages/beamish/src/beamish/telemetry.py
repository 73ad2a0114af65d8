"""Events of the running system, for metrics and traces.

An event is a tuple of strings; its handler gets the event, its measurements and its metadata. As
long as no handler is attached, an event costs one attribute check. `EVENTS` holds every event of
beamish; docs/telemetry.md explains them in one table. Programs may `execute` events of their own.

When not to use it: to change what a process does. Handlers run where the event happens, in the
middle of the work; they must be quick and must not wait.

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
    """What an event comes with.

    Args:
        measurements: The names of its numbers; those of times end in ``_seconds``.
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
"""Prefix of the events of a call, as the client sees it."""

CALLBACK = ("beamish", "callback")
"""Prefix of the events of a callback that a server runs."""

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
_lock = threading.Lock()  # of those who attach and detach, in whatever threads
_handlers: dict[Event, tuple[tuple[Hashable, Handler], ...]] = {}
_carriers: dict[Hashable, tuple[Callable[[], Any], Callable[[Any], object]]] = {}

enabled: bool = False
"""Whether any handler is attached. Look at it before you prepare an event."""

observes: bool = False
"""Whether calls and callbacks take a longer way, on which they are observed.

They do when a handler of their events is attached, or something of the sender follows its messages.
"""


def attach(id: Hashable, event: Event, handler: Handler) -> None:  # noqa: A002 - Elixir's word
    """Call ``handler(event, measurements, metadata)`` at each ``event``.

    A handler that raises is detached, with a line in the log, and harms nobody.

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
    attach_many(id, (event,), handler)


def attach_many(id: Hashable, events: Iterable[Event], handler: Handler) -> None:  # noqa: A002
    """Call ``handler`` at each of ``events``; one `detach` ends them all.

    Args:
        id: Names the handler, for `detach`.
        events: Which events; `EVENTS` stands for all of beamish's own.
        handler: What to call.

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
    """Let something of the sender follow its casts and messages, until `detach`.

    A call runs in a copy of its caller's context, where every context variable follows by itself.
    Casts and messages do not: the current span of a trace needs this to follow them.

    Args:
        id: Names the carrier, for `detach`; a handler may have the same id.
        capture: Called, without arguments, where a cast or message is sent.
        restore: Called with what ``capture`` returned, in the context in which the server will
            handle it.

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
    """Detach the handler and the carrier ``id``; say whether there was one.

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
    """Tell the handlers of ``event``.

    Source:
        ``:telemetry.execute/3``.
    """
    for id_, handler in _handlers.get(event, ()):
        try:
            handler(event, measurements, metadata)
        except Exception:  # a handler's fault harms nobody but itself
            _log.exception("telemetry handler %r raised and has been detached", id_)
            detach(id_)


class Span:
    """Something that takes time: emits its start now, and its end when told.

    For what begins and ends in different functions; elsewhere, `span`.

    Args:
        event: The prefix of its events.
        metadata: What comes with each of them, beside ``span``: an object that is the same in
            all events of this span, and in those of no other.
    """

    __slots__ = ("_began", "_event", "metadata")

    def __init__(self, event: Event, metadata: Mapping[str, Any]) -> None:
        self._event = event
        self.metadata: dict[str, Any] = {"span": object(), **metadata}
        self._began = time.perf_counter()
        execute((*event, "start"), {"system_time_seconds": time.time()}, self.metadata)

    def stop(self) -> None:
        """Emit that it has ended well."""
        execute((*self._event, "stop"), self._measurements(), self.metadata)

    def fail(self, error: BaseException) -> None:
        """Emit that it has ended with ``error``."""
        facts = {**self.metadata, "error": error}
        execute((*self._event, "exception"), self._measurements(), facts)

    def _measurements(self) -> dict[str, float]:
        return {"duration_seconds": time.perf_counter() - self._began}


@contextmanager
def span(event: Event, metadata: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Emit ``(*event, "start")``, then ``"stop"`` or ``"exception"`` with the time it took.

    The block gets the metadata as a dict, to which it may add what it comes to know.

    Args:
        event: The prefix of the three events.
        metadata: What comes with each of them.

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


# -- What the modules of beamish use, each time after a look at `enabled` or `observes`


def carried(context: Context) -> Context:
    """Return a copy of ``context`` with what the carriers take along from the current one."""
    copy = context.copy()
    for id_, (capture, restore) in list(_carriers.items()):
        try:
            copy.run(restore, capture())
        except Exception:  # the sender is not to suffer
            _log.exception("telemetry carrier %r raised and has been detached", id_)
            detach(id_)
    return copy


def process_start(pid: Pid, class_name: str) -> None:
    """Emit that a process has started."""
    execute(("beamish", "process", "start"), {"count": 1}, {"pid": pid, "class": class_name})


def process_exit(pid: Pid, class_name: str, reason: Any) -> None:
    """Emit that a process has died."""
    facts = {"pid": pid, "class": class_name, "reason": reason}
    execute(("beamish", "process", "exit"), {"count": 1}, facts)


def supervisor(what: str, facts: Mapping[str, Any]) -> None:
    """Emit that a supervisor restarts a child, or gives it up."""
    execute(("beamish", "supervisor", what), {"count": 1}, facts)
