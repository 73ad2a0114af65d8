"""Responses that last: event streams of views and of traces."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from beamish._snapshots.actions import TraceEnd, traced
from beamish._snapshots.query import Query
from beamish.observer.feed import Feed, Viewer, frame

_log = logging.getLogger("beamish.observer")


class _Stream(Response):
    """Server-sent events until the client leaves, the events end, or the observer stops.

    Source:
        The HTML standard, "Server-sent events".
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _part(send, b": open\n\n")


class EventStream(_Stream):
    """Snapshots of one view.

    Args:
        feed: The open streams.
        view: The name of the view.
        query: Its parameters.
        every: Seconds between two snapshots.
    """

    def __init__(self, feed: Feed, view: str, query: Query, every: int) -> None:
        super().__init__(feed)
        self._view, self._query, self._every = view, query, every

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the snapshots."""
        with self._feed.stream(self._view, self._query, self._every) as viewer:
            await self._begin(send)
            gone = asyncio.ensure_future(_disconnected(receive))
            try:
                await self._send(viewer, gone, send)
            finally:
                gone.cancel()

    async def _send(self, viewer: Viewer, gone: "asyncio.Future[None]", send: Send) -> None:
        while not gone.done():
            data = await _unless(gone, viewer.next())
            if data is not None:
                await _part(send, data)
                if viewer.sent_last:
                    break
        await _part(send, b"", last=True)


class TraceStream(_Stream):
    """The events of a traced server, then ``end`` with the reason.

    Args:
        feed: The open streams.
        wanted: The number of its pid, or its local name.
        who: Who traces it, for the log.
    """

    def __init__(self, feed: Feed, wanted: str, who: str) -> None:
        super().__init__(feed)
        self._wanted, self._who = wanted, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with self._feed.viewer() as viewer:
            async with traced(self._wanted) as events:
                _log.warning("observer: %s traces %s", self._who, self._wanted)
                await self._begin(send)
                gone = asyncio.ensure_future(_disconnected(receive))
                bye = asyncio.ensure_future(viewer.next())
                try:
                    await self._send(events, gone, bye, send)
                finally:
                    gone.cancel()
                    bye.cancel()
                    _log.warning("observer: %s no longer traces %s", self._who, self._wanted)

    async def _send(
        self, events: Any, gone: "asyncio.Future[None]", bye: "asyncio.Future[bytes]", send: Send
    ) -> None:
        ends: list[asyncio.Future[Any]] = [gone, bye]
        either = asyncio.ensure_future(asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED))
        try:
            while not either.done():
                event = await _unless(either, anext(events))
                if event is not None:
                    ended = isinstance(event, TraceEnd)
                    await _part(send, frame("end" if ended else "traced", event))
                    if ended:
                        break
        finally:
            either.cancel()
        if bye.done() and not gone.done():
            await _part(send, bye.result())
        await _part(send, b"", last=True)


async def _unless(gone: "asyncio.Future[Any]", work: Any) -> Any:
    """Return the result of ``work``, or ``None`` if ``gone`` is done first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _part(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
