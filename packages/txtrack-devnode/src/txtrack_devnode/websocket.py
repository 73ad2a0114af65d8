"""JSON-RPC over WebSocket: requests, and ``newHeads`` subscriptions."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import lru_cache
from itertools import count

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from txtrack_devnode import params
from txtrack_devnode.block import Block
from txtrack_devnode.faults import FaultInjector
from txtrack_devnode.request_handler import RequestHandler
from txtrack_devnode.rpc import METHOD_NOT_FOUND, SERVER_ERROR, Dispatcher, RpcError
from txtrack_devnode.wire import header_json

MAX_SUBSCRIPTIONS = 100
MAX_IN_FLIGHT = 100
MAX_QUEUED_HEADS = 20_000
_CACHED_HEADS = 64

_ids = count(1)


class Subscribers:
    """All WebSocket connections of one node."""

    def __init__(self) -> None:
        self._sessions: set[WebSocketSession] = set()

    async def serve(self, session: "WebSocketSession") -> None:
        """Serve one connection until it ends."""
        self._sessions.add(session)
        try:
            await session.serve()
        finally:
            self._sessions.discard(session)

    def announce(self, block: Block) -> None:
        """Send a new head to all subscribers."""
        for session in tuple(self._sessions):
            session.announce(block)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(session.close() for session in tuple(self._sessions)))


class WebSocketSession:
    """A WebSocket connection.

    Args:
        socket: Open WebSocket without automatic pongs; the session answers pings.
        handler: Handles the requests.
        dispatcher: All methods except those of subscriptions.
        faults: The active faults.
        abort: Closes the connection without a handshake.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        handler: RequestHandler,
        dispatcher: Dispatcher,
        faults: FaultInjector,
        abort: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._handler = handler
        self._faults = faults
        self._abort = abort
        methods = {"eth_subscribe": self.subscribe, "eth_unsubscribe": self.unsubscribe}
        self._dispatcher = dispatcher.extended(methods)
        self._subscriptions: set[str] = set()
        self._heads: deque[Block] = deque()
        self._head_queued = asyncio.Event()
        self._free = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Handle requests and send notifications until the client disconnects."""
        self._start(self._send_heads())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.PING:
                    await self._pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._free.acquire()
                    self._start(self._answer(message.data))
        finally:
            await self._stop()

    def announce(self, block: Block) -> None:
        """Queue a new head for the subscriptions; disconnect a client that is too slow."""
        if not self._subscriptions:
            return
        self._heads.append(block)
        self._head_queued.set()
        if len(self._heads) > MAX_QUEUED_HEADS:
            self._heads.clear()
            self._abort()

    async def close(self) -> None:
        """Send a close frame; wait a moment for the client to answer it."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    def subscribe(self, kind: object, options: object = None, /) -> object:
        """Subscribe to ``newHeads``, the only kind of subscription."""
        requested = params.text(kind, "the subscription")
        if requested != "newHeads":
            message = f'no "{requested[:80]}" subscription in eth namespace: only newHeads'
            raise RpcError(METHOD_NOT_FOUND, message)
        if options is not None:
            raise params.invalid("the second parameter", "left out for newHeads", options)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            message = f"at most {MAX_SUBSCRIPTIONS} subscriptions per connection"
            raise RpcError(SERVER_ERROR, message)
        name = f"0x{next(_ids):032x}"
        # The response with this id is written before any other task runs, so the client knows
        # the id when the first notification arrives.
        self._subscriptions.add(name)
        return name

    def unsubscribe(self, name: object, /) -> object:
        """Cancel a subscription; return whether this connection had it."""
        subscription = params.text(name, "the subscription")
        known = subscription in self._subscriptions
        self._subscriptions.discard(subscription)
        return known

    async def _answer(self, data: str | bytes) -> None:
        try:
            body = data.encode() if isinstance(data, str) else data
            response = await self._handler.handle(body, self._dispatcher)
            if response is None or response.share is not None:
                self._abort()
            elif response.body is not None:
                await self._send(response.body)
        finally:
            self._free.release()

    async def _send_heads(self) -> None:
        while True:
            await self._head_queued.wait()
            while self._heads:
                head = _head(self._heads.popleft())
                for name in tuple(self._subscriptions):
                    await self._send(_notification(name, head))
            self._head_queued.clear()

    async def _pong(self, data: bytes) -> None:
        if not self._faults.hanging:
            await self._socket.pong(data)

    async def _send(self, body: bytes) -> None:
        with suppress(ConnectionError):  # the client disconnected; the read loop ends the session
            await self._socket.send_frame(body, WSMsgType.TEXT)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@lru_cache(_CACHED_HEADS)
def _head(block: Block) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(header_json(block)))


def _notification(name: str, head: orjson.Fragment) -> bytes:
    content = {"subscription": name, "result": head}
    return orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": content})
