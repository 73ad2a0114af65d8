"""Events: pulled page by page, or as a stream; no event is lost between two requests."""

import asyncio
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from transaction_tracker.api import cursors
from transaction_tracker.api.access import Principal
from transaction_tracker.api.answers import READ, Limit, RoomOf, answer, problems, shows
from transaction_tracker.api.context import Room
from transaction_tracker.api.views import EventPage, event_view
from transaction_tracker.api.waiting import disconnected, first
from transaction_tracker.store import Store
from transaction_tracker.store.feed import Entry
from transaction_tracker.store.history import events_page
from transaction_tracker.store.pages import last_position
from transaction_tracker.tracker import Context

router = APIRouter(prefix="/v1", tags=["events"])

_CHUNK = 200
_RETRY_MILLISECONDS = 2_000

Of = Annotated[
    str | None, Query(max_length=200, description="Only of this transaction.", alias="transaction")
]


@router.get(
    "/events",
    operation_id="listEvents",
    dependencies=[READ],
    responses={200: shows(EventPage, "A page, in the order of writing."), **problems(422)},
)
async def list_events(
    room: RoomOf, after: cursors.EventCursor = None, transaction: Of = None, limit: Limit = 100
) -> Response:
    """List events; without `after`, from the first that there was.

    Deliver each one at least once: store `next` when you have handled the page.
    """
    position = _position(after) or 0
    # One more than is shown says whether there is more.
    events = await Store.run(
        partial(events_page, after=position, limit=limit + 1, transaction=_key(transaction))
    )
    shown = events[:limit]
    end = shown[-1].position if shown else position
    content = {
        "events": [event_view(entry) for entry in shown],
        "next": cursors.of_event(end),
        "more": len(events) > limit,
    }
    return answer(content)


@router.get(
    "/stream",
    operation_id="streamEvents",
    dependencies=[READ],
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events, named `transaction`; `data` is an event as JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(422),
    },
)
async def stream(
    room: RoomOf,
    after: cursors.EventCursor = None,
    transaction: Of = None,
    last_event_id: Annotated[
        str | None, Header(pattern=cursors.EVENT_PATTERN, description="Goes before `after`.")
    ] = None,
) -> Response:
    """Stream events as they are stored; without `after` or Last-Event-ID, from now on.

    It begins with an id without an event, for who loses it before the first one. A client that
    does not keep up is cut off; it goes on from its Last-Event-ID without loss.

    Source: the HTML standard, "Server-sent events".
    """
    position = _position(last_event_id)
    if position is None:
        position = _position(after)
    return EventStream(room, position, _key(transaction))


class EventStream(Response):
    """An answer that goes on until the client leaves, its token ends, or the API stops.

    Args:
        room: Where the events come from.
        after: The position of the last event that the client has; ``None`` begins now.
        transaction: Only of this one; ``None`` is of all.
    """

    media_type = "text/event-stream"

    def __init__(self, room: Room, after: int | None, transaction: str | None) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._room = room
        self._after = after
        self._transaction = transaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        feed = self._room.service.feed
        with self._room.streams.take(), feed.stream() as signal:
            position = self._after
            if position is None:
                position = await Store.run(last_position)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            gone = asyncio.ensure_future(disconnected(receive))
            try:
                await self._send(position, signal, gone, scope["state"]["principal"], send)
            finally:
                gone.cancel()

    async def _send(
        self,
        position: int,
        signal: asyncio.Event,
        gone: asyncio.Future[None],
        principal: Principal,
        send: Send,
    ) -> None:
        await _part(send, _beginning(position))
        while not gone.done():
            signal.clear()
            events = await self._next(position)
            if events:
                await _part(send, b"".join(map(_written, events)))
                position = events[-1].position
            if self._room.service.feed.closed or not await self._room.tokens.accept(principal):
                break
            if len(events) < _CHUNK and not await self._wait(signal, gone):
                await _part(send, b": still here\n\n")
        await _part(send, b"", last=True)

    async def _next(self, position: int) -> list[Entry]:
        return await Store.run(
            partial(events_page, after=position, limit=_CHUNK, transaction=self._transaction)
        )

    async def _wait(self, signal: asyncio.Event, gone: asyncio.Future[None]) -> bool:
        """Wait for more, and say whether there may be some; silence is no sign of life."""
        return await first(signal, gone, self._room.options.heartbeat_seconds)


def _beginning(position: int) -> bytes:
    # The id is kept without an event too: who loses the stream before the first one misses none.
    return b"retry: %d\nid: %b\n\n" % (_RETRY_MILLISECONDS, cursors.of_event(position).encode())


def _written(entry: Entry) -> bytes:
    cursor = cursors.of_event(entry.position).encode()
    return b"id: %b\nevent: transaction\ndata: %b\n\n" % (cursor, orjson.dumps(event_view(entry)))


async def _part(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})


def _position(cursor: str | None) -> int | None:
    return None if cursor is None else cursors.position_at(cursor)


def _key(transaction: str | None) -> str | None:
    return None if transaction is None else Context.current().source.identify(transaction)
