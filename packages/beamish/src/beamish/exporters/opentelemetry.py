"""Traces for OpenTelemetry; install ``beamish[opentelemetry]``.

>>> from opentelemetry.sdk.trace import TracerProvider
>>> exporter = attach(TracerProvider())  # or attach(): the global provider
>>> exporter.detach()

Each callback of a server is a span. Its parent is the span in which its call, cast or message was
sent, across any number of servers. A failed call is recorded on the span of its caller.

When not to use it: for rates and durations in total; metrics cost less.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from beamish import telemetry

try:
    from opentelemetry import context, trace
except ImportError as _error:
    raise ImportError(
        "beamish.exporters.opentelemetry needs opentelemetry; install beamish[opentelemetry]"
    ) from _error

__all__ = ["Exporter", "attach"]

_CALLBACK = telemetry.CALLBACK


def attach(tracer_provider: trace.TracerProvider | None = None) -> "Exporter":
    """Trace callbacks from now on, and propagate traces with calls, casts and messages.

    Args:
        tracer_provider: The provider of the spans' tracer; ``None`` uses the global one.

    Returns:
        The exporter; its `Exporter.detach` ends tracing.

    Raises:
        TypeError: ``tracer_provider`` is not a tracer provider.
    """
    if tracer_provider is not None and not isinstance(tracer_provider, trace.TracerProvider):
        raise TypeError(
            f"tracer_provider must be an opentelemetry TracerProvider; got {tracer_provider!r}"
        )
    return Exporter(tracer_provider)


class Exporter:
    """Creates a span for each callback, until `detach`; create it with `attach`.

    Args:
        tracer_provider: The provider of the spans' tracer.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None) -> None:
        self._tracer = trace.get_tracer("beamish", tracer_provider=tracer_provider)
        # The span of the callback in this context, and the object that identifies its events.
        self._current: ContextVar[tuple[object, trace.Span] | None] = ContextVar(
            "beamish.exporters.opentelemetry", default=None
        )
        self._handlers: dict[telemetry.Event, Callable[[Mapping[str, Any]], None]] = {
            (*_CALLBACK, "start"): self._began,
            (*_CALLBACK, "stop"): self._ended,
            (*_CALLBACK, "exception"): self._failed,
            (*telemetry.CALL, "exception"): self._call_failed,
        }
        telemetry.carry(self, context.get_current, context.attach)
        telemetry.attach_many(self, self._handlers, self._handle)

    def detach(self) -> None:
        """Stop tracing; a second call does nothing. Open spans are never ended."""
        telemetry.detach(self)

    def _handle(
        self, event: telemetry.Event, _: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        self._handlers[event](facts)

    def _began(self, facts: Mapping[str, Any]) -> None:
        attributes = {
            "beamish.server.class": facts["class"],
            "beamish.callback": facts["callback"],
            "beamish.pid": repr(facts["pid"]),
        }
        name = f"{facts['class']}.{facts['callback']}"
        span = self._tracer.start_span(name, attributes=attributes)
        # Never reset: each callback has its own context, which ends with it.
        self._current.set((facts["span"], span))
        context.attach(trace.set_span_in_context(span))

    def _span(self, facts: Mapping[str, Any]) -> trace.Span | None:
        known = self._current.get()
        if known is None or known[0] is not facts["span"]:
            return None  # the callback began before `attach`
        return known[1]

    def _ended(self, facts: Mapping[str, Any]) -> None:
        span = self._span(facts)
        if span is not None:
            span.end()

    def _failed(self, facts: Mapping[str, Any]) -> None:
        span, error = self._span(facts), facts["error"]
        if span is None:
            return
        if isinstance(error, Exception):
            span.record_exception(error)
            span.set_status(trace.Status(trace.StatusCode.ERROR, _description(error)))
        else:
            span.set_attribute("beamish.cancelled", True)  # by an exit signal, so not an error
        span.end()

    def _call_failed(self, facts: Mapping[str, Any]) -> None:
        error = facts["error"]
        if isinstance(error, Exception):
            attributes = {
                "beamish.server.class": facts["class"] or "unknown",
                "beamish.request": facts["request"],
            }
            trace.get_current_span().record_exception(error, attributes)


def _description(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
