"""Callbacks that telemetry observes: an event at the start and at the end of each."""

from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType
from typing import Any

from beamish import telemetry
from beamish._runtime.context import current_pid
from beamish._server.callbacks import run_one


class Observed(Coroutine[Any, Any, Any]):
    """An async callback whose end emits a telemetry event.

    A class, because an ``async def`` wrapper that is cancelled before its first step never runs:
    Python would then warn that the callback inside was never awaited.
    """

    __slots__ = ("_coroutine", "_span")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], span: telemetry.Span) -> None:
        self._coroutine = coroutine
        self._span = span

    def send(self, value: Any) -> Any:
        """Run the next step."""
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


def run_observed(
    process: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    """Run a callback as `run_one` does, and emit its events in the callback's context."""
    current_pid.set(process.pid)
    facts = {"pid": process.pid, "class": process.kind(), "callback": process.callback}
    span = telemetry.Span(telemetry.CALLBACK, facts)
    try:
        result = run_one(process, function, args, kwargs)
    except BaseException as error:
        span.fail(error)
        raise
    if result.__class__ is CoroutineType:
        return Observed(result, span)
    span.stop()
    return result
