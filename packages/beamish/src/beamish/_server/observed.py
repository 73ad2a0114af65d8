"""Callbacks that telemetry observes: they begin and end with an event."""

from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._runtime.context import current_pid
from beamish._server.requests import enter


class Observed(Coroutine[Any, Any, Any]):
    """An async callback whose end is told to telemetry.

    Not an ``async def`` around it: one that is cancelled before its first step would leave the
    callback inside for ever unawaited.
    """

    __slots__ = ("_coroutine", "_span")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], span: telemetry.Span) -> None:
        self._coroutine = coroutine
        self._span = span

    def send(self, value: Any) -> Any:
        """Take a step."""
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        """Raise in the callback."""
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        """Close the callback."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise TypeError("run it in a task")

    def _step(self, resume: Callable[..., Any], *args: Any) -> Any:
        try:
            return resume(*args)
        except StopIteration:
            self._span.stop()
            raise
        except BaseException as error:
            self._span.fail(error)
            raise


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
        return Observed(result, span)
    span.stop()
    return result
