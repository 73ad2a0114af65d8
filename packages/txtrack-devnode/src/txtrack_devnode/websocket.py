"""JSON-RPC over WebSocket: requests, and ``newHeads`` to those who subscribe."""

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
from txtrack_devnode.exchange import Exchange
from txtrack_devnode.faults import Faults
from txtrack_devnode.rpc import METHOD_NOT_FOUND, SERVER_ERROR, Dispatcher, RpcError
from txtrack_devnode.wire import header_json

MOST_SUBSCRIPTIONS = 100
MOST_IN_FLIGHT = 100
MOST_WAITING_HEADS = 20_000
_CACHED_HEADS = 64

_ids = count(1)


class Subscribers:
    """All WebSocket connections of one node."""

    def __init__(self) -> None:
        self._sessions: set[Session] = set()

    async def serve(self, session: "Session") -> None:
        """Serve one connection until it ends."""
        self._sessions.add(session)
        try:
            await session.serve()
        finally:
            self._sessions.discard(session)

    def announce(self, block: Block) -> None:
        """Tell everyone who subscribed of a new head."""
        for session in tuple(self._sessions):
            session.announce(block)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(session.close() for session in tuple(self._sessions)))


class Session:
    """One WebSocket connection.

    Args:
        socket: Ready to send and receive; its pings are left to the session.
        exchange: Answers the requests.
        dispatcher: Has all methods but those of subscriptions.
        faults: Says when the node is silent.
        abort: Closes the connection at once.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        exchange: Exchange,
        dispatcher: Dispatcher,
        faults: Faults,
        abort: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._exchange = exchange
        self._faults = faults
        self._abort = abort
        more = {"eth_subscribe": self.subscribe, "eth_unsubscribe": self.unsubscribe}
        self._dispatcher = dispatcher.extended(more)
        self._subscriptions: set[str] = set()
        self._heads: deque[Block] = deque()
        self._news = asyncio.Event()
        self._free = asyncio.Semaphore(MOST_IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer requests and send news until the client goes."""
        self._start(self._send_news())
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
        """Note a new head for the subscriptions; a client too slow for them is cut off."""
        if not self._subscriptions:
            return
        self._heads.append(block)
        self._news.set()
        if len(self._heads) > MOST_WAITING_HEADS:
            self._heads.clear()
            self._abort()

    async def close(self) -> None:
        """Say goodbye, which the client may answer or not."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    def subscribe(self, kind: object, options: object = None, /) -> object:
        """Subscribe to ``newHeads``, the one kind there is."""
        wanted = params.text(kind, "the subscription")
        if wanted != "newHeads":
            message = f'no "{wanted[:80]}" subscription in eth namespace: only newHeads'
            raise RpcError(METHOD_NOT_FOUND, message)
        if options is not None:
            raise params.invalid("the second parameter", "left out for newHeads", options)
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            message = f"at most {MOST_SUBSCRIPTIONS} subscriptions in one connection"
            raise RpcError(SERVER_ERROR, message)
        name = f"0x{next(_ids):032x}"
        # Its news come after the answer that names it: that is written before others have a turn.
        self._subscriptions.add(name)
        return name

    def unsubscribe(self, name: object, /) -> object:
        """End a subscription; ``false`` if this connection has none of this name."""
        wanted = params.text(name, "the subscription")
        known = wanted in self._subscriptions
        self._subscriptions.discard(wanted)
        return known

    async def _answer(self, data: str | bytes) -> None:
        try:
            body = data.encode() if isinstance(data, str) else data
            reply = await self._exchange.answer(body, self._dispatcher)
            if reply is None or reply.share is not None:
                self._abort()
            elif reply.body is not None:
                await self._send(reply.body)
        finally:
            self._free.release()

    async def _send_news(self) -> None:
        while True:
            await self._news.wait()
            while self._heads:
                head = _head(self._heads.popleft())
                for name in tuple(self._subscriptions):
                    await self._send(_notification(name, head))
            self._news.clear()

    async def _pong(self, data: bytes) -> None:
        if not self._faults.hanging:
            await self._socket.pong(data)

    async def _send(self, body: bytes) -> None:
        with suppress(ConnectionError):  # a client that has gone: reading ends the session
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
    news = {"subscription": name, "result": head}
    return orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": news})
