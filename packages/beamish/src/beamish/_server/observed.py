"""Callbacks that telemetry observes: they begin and end with an event."""

from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._runtime.context import current_pid
from beamish._server.requests import enter


class _Rest:
    """What an async callback has yet to do."""

    __slots__ = ("coroutine", "span")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], span: telemetry.Span) -> None:
        self.coroutine = coroutine
        self.span = span

    def __del__(self) -> None:
        # Its task may be cancelled before the first step, and then nobody comes to await it.
        self.coroutine.close()


def enter_observed(
    process: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    """Do as `enter`, and tell telemetry, in the callback's own context."""
    current_pid.set(process.pid)
    facts = {"pid": process.pid, "class": process.kind(), "callback": process.callback}
    span = telemetry.Span(telemetry.CALLBACK, facts)
    try:
        result = enter(process, function, args, kwargs)
    except BaseException as error:
        span.fail(error)
        raise
    if result.__class__ is CoroutineType:
        return _go_on(_Rest(result, span))
    span.stop()
    return result


async def _go_on(rest: _Rest) -> Any:
    try:
        result = await rest.coroutine
    except BaseException as error:
        rest.span.fail(error)
        raise
    rest.span.stop()
    return result
