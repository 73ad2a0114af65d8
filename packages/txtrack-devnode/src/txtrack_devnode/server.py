"""The development node: a chain behind JSON-RPC over HTTP and WebSocket, in this event loop."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from txtrack_devnode.block import Block
from txtrack_devnode.chain import Chain, ChainError
from txtrack_devnode.controls import ControlMethods
from txtrack_devnode.ethereum import EthereumMethods
from txtrack_devnode.exchange import Exchange, Reply
from txtrack_devnode.faultcontrols import FaultMethods
from txtrack_devnode.faults import Faults
from txtrack_devnode.listener import MAX_BODY_BYTES, Listener
from txtrack_devnode.rpc import Dispatcher
from txtrack_devnode.websocket import Session, Subscribers

logger = logging.getLogger(__name__)


class DevelopmentNode:
    """A node that lives in this event loop, from ``async with`` to its end.

    The node trusts whoever reaches it: leave it on a loopback address. Several nodes may share a
    chain, as providers of one network do: give ``block_time`` to one of them at most.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, which ``url`` then tells.
        chain_id: What ``eth_chainId`` answers.
        block_time: Seconds from block to block; ``None`` mines only when told to.
        chain: A chain made elsewhere, in place of a new one with ``chain_id``.
        seed: Anything printable; it decides which requests are struck by faults of chance.

    Attributes:
        chain: What really is, whatever the faults make of it.
        faults: What goes wrong: ``node.faults.inject(StaleNull(times=3))``.
        http_requests: How many HTTP requests came so far, WebSockets not counted.

    Raises:
        OSError: On entering, if it cannot listen there: ``EADDRINUSE`` for a port in use.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        chain_id: int = 31337,
        block_time: float | None = None,
        chain: Chain | None = None,
        seed: object = 0,
    ) -> None:
        if block_time is not None and block_time <= 0:
            raise ValueError(f"block_time must be over 0 seconds or None, got {block_time!r}")
        self.chain = Chain(chain_id=chain_id) if chain is None else chain
        self.faults = Faults(self.chain, seed)
        self.http_requests = 0
        self._block_time = block_time
        self._listener = Listener(host, port, post=self._post, get=self._websocket)
        self._subscribers = Subscribers()
        self._announced = self.chain.head
        self._stop_watching: Callable[[], None] | None = None
        self._miner: asyncio.Task[None] | None = None
        self._death: asyncio.Task[None] | None = None
        ethereum = EthereumMethods(self.chain)
        self._exchange = Exchange(self.chain, ethereum, self.faults, self._die_for)
        self._dispatcher = Dispatcher(
            {
                **ethereum.table(),
                **ControlMethods(self.chain).table(),
                **FaultMethods(self.faults).table(),
            },
            refusals=(ChainError,),
            around=self._exchange.around,
        )

    async def __aenter__(self) -> Self:
        """Listen, and start mining if there is a block time."""
        await self._listener.open()
        self._stop_watching = self.chain.watch(self._announce)
        if self._block_time is not None:
            self._miner = asyncio.create_task(self._mine_regularly(self._block_time))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop mining, answer what is under way, close the port."""
        if self._stop_watching is not None:
            self._stop_watching()
            self._stop_watching = None
        tasks = [task for task in (self._miner, self._death) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.faults.clear()
        await self._subscribers.close()
        await self._listener.close()

    @property
    def url(self) -> str:
        """Where the node listens; for WebSocket with ``ws`` in place of ``http``."""
        return self._listener.url

    @property
    def listening(self) -> bool:
        """Whether the port is open: between ``die`` and ``revive`` it is not."""
        return self._listener.listening

    @property
    def counters(self) -> Counter[str]:
        """How often each method was asked for, items of batches counted one by one."""
        return self._dispatcher.counters

    async def mine(self, count: int = 1) -> Block:
        """Mine blocks, let other tasks run once, and return the new head."""
        head = self.chain.mine(count)[-1]
        await asyncio.sleep(0)
        return head

    async def die(self) -> None:
        """Cut all connections and close the port; the chain goes on without this node."""
        await self._listener.close(at_once=True)

    async def revive(self) -> None:
        """Listen again, on the same port, with the same faults.

        Raises:
            OSError: Someone else has the port now.
        """
        await self._listener.open()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.http_requests += 1
        reply = await self._exchange.answer(await request.read(), self._dispatcher)
        if reply is None:
            _abort(request)
            return web.Response()  # which nobody gets
        if reply.share is not None:
            return await _cut_off(request, reply)
        if reply.body is None:
            return web.Response(status=204)
        return web.Response(
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            content_type=reply.content_type,
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=MAX_BODY_BYTES, timeout=1.0
        )
        if not socket.can_prepare(request).ok:
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        await socket.prepare(request)
        session = Session(
            socket, self._exchange, self._dispatcher, self.faults, lambda: _abort(request)
        )
        await self._subscribers.serve(session)
        return socket

    def _announce(self, block: Block) -> None:
        """Tell subscribers of a new head: with a head that lags, of the one it is at now."""
        del block
        head = self.faults.constant_state().head
        if self.faults.silent or head is self._announced:
            return
        self._announced = head
        self._subscribers.announce(head)

    def _die_for(self, seconds: float) -> None:
        if self._death is None or self._death.done():
            self._death = asyncio.create_task(self._be_dead(seconds))

    async def _be_dead(self, seconds: float) -> None:
        await self.die()
        await asyncio.sleep(seconds)
        try:
            await self.revive()
        except OSError as error:
            logger.error("the node is dead for good: %s", error)

    async def _mine_regularly(self, block_time: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            # A machine that slept must not mine all the blocks it missed in one go.
            due = max(due + block_time, clock())
            await asyncio.sleep(due - clock())
            self.chain.mine()


async def _cut_off(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Announce the whole body, send a share of it, and close the connection."""
    body = reply.body or b""
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    response.content_type = reply.content_type
    await response.prepare(request)
    assert reply.share is not None  # noqa: S101 - the caller has looked
    await response.write(body[: int(len(body) * reply.share)])
    if request.transport is not None:
        request.transport.close()
    return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
