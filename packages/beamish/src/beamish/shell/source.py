"""Where the commands read a program: in the program itself, or through its observer.

When not to use it: in a program; `beamish.process` and `beamish.debug` return values.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

from beamish._snapshots.actions import TraceEnd, traced
from beamish._snapshots.encode import encoded
from beamish._snapshots.query import QueryError, parse
from beamish._snapshots.recorder import Recorder
from beamish._snapshots.views import Views
from beamish.errors import BeamishError

ERRORS = (BeamishError, QueryError)
"""Errors of a source, whose message is for the user."""


class Source(Protocol):
    """The views of one program, as decoded JSON."""

    name: str

    async def read(self, view: str, **parameters: str) -> Any:
        """Return one snapshot of a view."""

    def stream(self, view: str, every: int, **parameters: str) -> AsyncIterator[Any]:
        """Yield a snapshot of a view every ``every`` seconds."""
        ...

    def trace(self, pid: str) -> AsyncIterator[str]:
        """Yield lines about what a server does, and why the trace ended."""
        ...


class Local:
    """The program that runs in this event loop.

    Args:
        name: What to call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._views = Views(Recorder())

    async def read(self, view: str, **parameters: str) -> Any:
        """Return one snapshot of a view."""
        return json.loads(encoded(await self._views.read(view, parse(parameters))))

    async def stream(self, view: str, every: int, **parameters: str) -> AsyncIterator[Any]:
        """Yield a snapshot of a view every ``every`` seconds."""
        reader = self._views.reader(view, parse(parameters))
        try:
            while True:
                yield json.loads(encoded(await reader.read()))
                await asyncio.sleep(every)
        finally:
            reader.close()

    async def trace(self, pid: str) -> AsyncIterator[str]:
        """Yield lines about what a server does, and why the trace ended."""
        async with traced(pid) as events:
            async for event in events:
                yield f"ended: {event.reason}" if isinstance(event, TraceEnd) else event.text

    def close(self) -> None:
        """Stop recording."""
        self._views.recorder.end()
