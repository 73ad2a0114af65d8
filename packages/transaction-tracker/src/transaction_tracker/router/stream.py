"""The stream of the events of all shards."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from transaction_tracker.api.context import ConcurrencyLimit
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.waiting import disconnected
from transaction_tracker.router import cursors
from transaction_tracker.router.feed import numbers_of, position_of
from transaction_tracker.router.shard_client import (
    ShardClient,
    ShardRequest,
    ShardResponse,
    ShardUnavailableError,
)
from transaction_tracker.router.shards import Shards, passed_on, returned, with_headers

_RECONNECT_SECONDS = 0.5
# Events of all shards that wait for the client. Beyond it, the shards' streams are not read.
_MAX_WAITING_EVENTS = 200


@dataclass(frozen=True, slots=True)
class _Frame:
    """A part of a shard's stream: a position, and the event at it, if there is one."""

    number: int
    position: int
    data: bytes | None


class RefusedError(Exception):
    """A shard refuses the stream.

    Attributes:
        response: Its response.
    """

    def __init__(self, response: ShardResponse) -> None:
        super().__init__(f"HTTP status {response.status}")
        self.response = response


class MergedStream(Response):
    """A stream that lasts until the client disconnects, a shard refuses it, or the router stops.

    While a shard is unavailable, the events of the others go on. Its own follow when it is back,
    from the position of its last event.

    Args:
        shards: The shards.
        request: The client's request.
        limit: Limit on open streams.
        options: Options of the API.
        closing: Set when the router stops.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        shards: Shards,
        request: Request,
        limit: ConcurrencyLimit,
        options: WebOptions,
        closing: asyncio.Event,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._limit = limit
        self._closing = closing
        self._heartbeat_seconds = options.heartbeat_seconds
        self._query = [
            (name, value) for name, value in request.query_params.multi_items() if name != "after"
        ]
        self._request = with_headers(passed_on(request), {"accept": "text/event-stream"})
        self._path = request.url.path
        self._count = shards.map.count
        transaction = request.query_params.get("transaction")
        self._clients = [shards.clients[number] for number in numbers_of(shards, transaction)]
        self._positions = _start(request, self._count)
        self._frames = asyncio.Queue[_Frame](_MAX_WAITING_EVENTS)
        # Of shards that began before the last one did.
        self._early: deque[_Frame] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        with self._limit.take():
            readers = [asyncio.create_task(self._read(client)) for client in self._clients]
            ends = [
                *readers,
                asyncio.create_task(disconnected(receive)),
                asyncio.create_task(self._closing.wait()),
            ]
            try:
                await self._serve(scope, receive, send, ends)
            finally:
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, ends: Sequence[asyncio.Task[object]]
    ) -> None:
        try:
            positions = await self._known_positions(ends)
        except RefusedError as error:
            await returned(error.response)(scope, receive, send)
            return
        except ShardUnavailableError as error:
            raise error.problem() from None
        if positions is None:
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # An id without an event: a client that loses the stream before the first one resumes here.
        await _part(send, b"retry: 2000\nid: %b\n\n" % _id(positions))
        while True:
            frame = self._early.popleft() if self._early else await self._next(ends)
            if frame is None:
                break
            if frame.number < 0:
                await _part(send, b": heartbeat\n\n")
                continue
            positions[frame.number] = frame.position
            if frame.data is not None:
                await _part(send, _event(positions, frame.data))
        await _part(send, b"", last=True)

    async def _known_positions(self, ends: Sequence[asyncio.Task[object]]) -> list[int] | None:
        """Return the positions of the start: those of the cursor, or of now at each shard.

        Raises:
            RefusedError: A shard refuses the stream.
            ShardUnavailableError: Without a cursor: a shard is unavailable, so its position is
                unknown.
        """
        if self._positions is not None:
            return list(self._positions)
        positions = [0] * self._count
        waiting = {client.number for client in self._clients}
        while waiting:
            frame = await self._next(ends)
            if frame is None:
                return None
            if frame.number in waiting:
                waiting.discard(frame.number)
                positions[frame.number] = frame.position
            elif frame.number >= 0:
                self._early.append(frame)
        self._positions = positions
        return list(positions)

    async def _next(self, ends: Sequence[asyncio.Task[object]]) -> _Frame | None:
        """Return the next frame; one of shard -1 for a heartbeat, and ``None`` at the end.

        Raises:
            RefusedError: A shard refuses the stream.
            ShardUnavailableError: A shard is unavailable at the start.
        """
        if not self._frames.empty():
            return self._frames.get_nowait()
        getting = asyncio.create_task(self._frames.get())
        try:
            done, _ = await asyncio.wait(
                [getting, *ends],
                timeout=self._heartbeat_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            if not getting.done():
                getting.cancel()
        if getting in done:
            return getting.result()
        for task in done:
            error = task.exception()
            if isinstance(error, RefusedError) and self._positions is not None:
                return None  # such as a token that was revoked: the client asks again
            if error is not None:
                raise error
        return None if done else _Frame(-1, 0, None)

    async def _read(self, client: ShardClient) -> None:
        """Read a shard's stream, again after each end, until it is refused."""
        position = None if self._positions is None else self._positions[client.number]
        while True:
            try:
                async with client.stream(self._sent(position)) as response:
                    if response.status != 200:
                        body = await response.read()
                        headers = {name.lower(): value for name, value in response.headers.items()}
                        found = ShardResponse(response.status, headers, body)
                        if position is None or response.status < 500:
                            raise RefusedError(found)
                    else:
                        async for frame in _frames(client.number, response.content):
                            position = frame.position
                            await self._frames.put(frame)
            except ShardUnavailableError:
                if position is None:
                    raise
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _sent(self, position: int | None) -> ShardRequest:
        query = [*self._query, *([] if position is None else [("after", f"e{position}")])]
        request = self._request
        target = f"{self._path}?{urlencode(query)}" if query else self._path
        return ShardRequest(request.method, target, request.headers)


def _start(request: Request, count: int) -> list[int] | None:
    """Return the positions of the client's cursor; ``None`` if the stream begins now."""
    given = request.headers.get("last-event-id")
    if given is not None:
        return cursors.positions_at(given, count, "Last-Event-ID")
    after = request.query_params.get("after")
    return None if after is None else cursors.positions_at(after, count, "after")


async def _frames(number: int, content: aiohttp.StreamReader) -> AsyncIterator[_Frame]:
    """Yield the parts of a stream that have an id.

    Source:
        HTML standard, section 9.2.6. Differs: it reads only what the service writes.
    """
    position, data = -1, None
    with suppress(ValueError):  # a line that is too long: the stream is read again
        async for line in content:
            name, _, value = line.rstrip(b"\r\n").partition(b": ")
            if name == b"id":
                position = position_of(value.decode())
            elif name == b"data":
                data = value
            elif not line.strip() and position >= 0:
                yield _Frame(number, position, data)
                position, data = -1, None


def _event(positions: list[int], data: bytes) -> bytes:
    cursor = cursors.of_positions(positions)
    event = orjson.loads(data) | {"cursor": cursor}
    return b"id: %b\nevent: transaction\ndata: %b\n\n" % (cursor.encode(), orjson.dumps(event))


def _id(positions: list[int]) -> bytes:
    return cursors.of_positions(positions).encode()


async def _part(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
