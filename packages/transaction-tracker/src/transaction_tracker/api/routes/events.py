"""Events, as pages and as a stream; no event is lost between two requests."""

import asyncio
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from transaction_tracker.api import cursors
from transaction_tracker.api.access import Principal
from transaction_tracker.api.answers import READ, Api, Limit, answer, problems, shows
from transaction_tracker.api.context import ApiContext
from transaction_tracker.api.models import EventPage, event_view
from transaction_tracker.api.waiting import disconnected, first
from transaction_tracker.domain import NotTrackedError
from transaction_tracker.store import Store
from transaction_tracker.store.feed import EventRecord, events_page
from transaction_tracker.store.pages import last_position
from transaction_tracker.tracker import locate_key

router: APIRouter = APIRouter(prefix="/v1", tags=["events"])

_CHUNK_EVENTS = 200
_RETRY_MILLISECONDS = 2_000

Of = Annotated[
    str | None,
    Query(max_length=200, description="Only events of this transaction.", alias="transaction"),
]


@router.get(
    "/events",
    operation_id="listEvents",
    dependencies=[READ],
    responses={200: shows(EventPage, "A page, in the order of recording."), **problems(422)},
)
async def list_events(
    api: Api, after: cursors.EventCursor = None, transaction: Of = None, limit: Limit = 100
) -> Response:
    """List events after a cursor; without `after`, from the first event.

    To process each event at least once, store `next` after you have processed the page.
    """
    position = _position(after) or 0
    # One event more than the page has tells whether there is a next page.
    events = await Store.run(
        partial(events_page, after=position, limit=limit + 1, transaction=await _key(transaction))
    )
    shown = events[:limit]
    end = shown[-1].position if shown else position
    views = [event_view(entry) for entry in shown]
    return answer(EventPage(events=views, next=cursors.of_event(end), more=len(events) > limit))


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
    api: Api,
    after: cursors.EventCursor = None,
    transaction: Of = None,
    last_event_id: Annotated[
        str | None, Header(pattern=cursors.EVENT_PATTERN, description="Overrides `after`.")
    ] = None,
) -> Response:
    """Stream events as they are stored; without `after` or Last-Event-ID, from now on.

    The stream begins with an id without an event, the cursor of its start, so that a client can
    reconnect without loss before the first event. The connection of a client that does not keep up
    is closed; the client continues from its Last-Event-ID without loss.

    Source: the HTML standard, "Server-sent events".
    """
    position = _position(last_event_id)
    if position is None:
        position = _position(after)
    return EventStream(api, position, await _key(transaction))


class EventStream(Response):
    """A response that lasts until the client disconnects, its token expires, or the API stops.

    Args:
        api: State of the API.
        after: Position of the last event that the client has; ``None`` starts with new events.
        transaction: Only events of this transaction; ``None`` for all.
    """

    media_type = "text/event-stream"

    def __init__(self, api: ApiContext, after: int | None, transaction: str | None) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._api = api
        self._after = after
        self._transaction = transaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        feed = self._api.service.feed
        with self._api.streams.take(), feed.stream() as signal:
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
            if self._api.service.feed.closed or not await self._api.tokens.accept(principal):
                break
            if len(events) < _CHUNK_EVENTS and not await self._wait(signal, gone):
                await _part(send, b": heartbeat\n\n")
        await _part(send, b"", last=True)

    async def _next(self, position: int) -> list[EventRecord]:
        return await Store.run(
            partial(events_page, after=position, limit=_CHUNK_EVENTS, transaction=self._transaction)
        )

    async def _wait(self, signal: asyncio.Event, gone: asyncio.Future[None]) -> bool:
        """Wait for new events; return ``False`` when a heartbeat is due instead."""
        return await first(signal, gone, self._api.options.heartbeat_seconds)


def _beginning(position: int) -> bytes:
    # An id without an event: a client that loses the stream before the first event resumes here.
    return b"retry: %d\nid: %b\n\n" % (_RETRY_MILLISECONDS, cursors.of_event(position).encode())


def _written(entry: EventRecord) -> bytes:
    cursor = cursors.of_event(entry.position).encode()
    return b"id: %b\nevent: transaction\ndata: %b\n\n" % (cursor, orjson.dumps(event_view(entry)))


async def _part(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})


def _position(cursor: str | None) -> int | None:
    return None if cursor is None else cursors.position_at(cursor)


async def _key(transaction: str | None) -> str | None:
    """Return the id as it was registered, of any id that means the transaction."""
    if transaction is None:
        return None
    try:
        key = await locate_key(transaction)
    except NotTrackedError:
        return transaction  # it has no events
    return key
