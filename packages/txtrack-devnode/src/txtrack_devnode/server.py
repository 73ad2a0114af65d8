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
from txtrack_devnode.ethereum import EthereumMethods, ReadRaw
from txtrack_devnode.fault_controls import FaultMethods
from txtrack_devnode.faults import FaultInjector
from txtrack_devnode.listener import MAX_BODY_BYTES, HttpListener
from txtrack_devnode.request_handler import RequestHandler, Response
from txtrack_devnode.rpc import Dispatcher
from txtrack_devnode.websocket import Subscribers, WebSocketSession

logger: logging.Logger = logging.getLogger(__name__)


class DevelopmentNode:
    """A node that runs in this event loop while an ``async with`` block does.

    The node does not authenticate clients: keep it on a loopback address. Several nodes can share a
    chain, as the providers of one network do; give ``block_time`` to at most one of them.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free port, which is part of ``url``.
        chain_id: Chain id of a new chain.
        block_time: Seconds between blocks. Default: blocks are mined only on request.
        chain: An existing chain, in place of a new one with ``chain_id``.
        seed: Any printable value; it decides which requests a fault with a probability hits.
        read_raw: Function that reads a signed transaction, for ``eth_sendRawTransaction``. Default:
            the node refuses signed transactions, because it cannot check a signature.

    Attributes:
        chain: The chain that the node is on; faults do not change it.
        faults: The faults of the node: ``node.faults.inject(StaleNull(times=3))``.
        http_requests: Number of HTTP requests so far, without WebSocket messages.

    Raises:
        OSError: On entering, if the port cannot be opened: ``EADDRINUSE`` for a port in use.
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
        read_raw: ReadRaw | None = None,
    ) -> None:
        if block_time is not None and block_time <= 0:
            raise ValueError(f"block_time must be over 0 seconds or None, got {block_time!r}")
        self.chain: Chain = Chain(chain_id=chain_id) if chain is None else chain
        self.faults: FaultInjector = FaultInjector(self.chain, seed)
        self.http_requests: int = 0
        self._block_time = block_time
        self._listener = HttpListener(host, port, post=self._post, get=self._websocket)
        self._subscribers = Subscribers()
        self._announced = self.chain.head
        self._stop_watching: Callable[[], None] | None = None
        self._miner: asyncio.Task[None] | None = None
        self._death: asyncio.Task[None] | None = None
        ethereum = EthereumMethods(self.chain, read_raw)
        self._handler = RequestHandler(self.chain, ethereum, self.faults, self._die_for)
        self._dispatcher = Dispatcher(
            {
                **ethereum.table(),
                **ControlMethods(self.chain).table(),
                **FaultMethods(self.faults).table(),
            },
            expected_errors=(ChainError,),
            wrapper=self._handler.call,
        )

    async def __aenter__(self) -> Self:
        """Open the port, and start mining if there is a block time."""
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
        """Stop mining, finish running requests, and close the port."""
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
        """URL of the node; for WebSocket with ``ws`` in place of ``http``."""
        return self._listener.url

    @property
    def listening(self) -> bool:
        """Whether the port is open; it is closed between `die` and `revive`."""
        return self._listener.listening

    @property
    def counters(self) -> Counter[str]:
        """Number of calls per method, including each call of a batch."""
        return self._dispatcher.counters

    async def mine(self, count: int = 1) -> Block:
        """Mine blocks, let other tasks run once, and return the new head."""
        head = self.chain.mine(count)[-1]
        await asyncio.sleep(0)
        return head

    async def die(self) -> None:
        """Abort all connections and close the port; the chain is not affected."""
        await self._listener.close(at_once=True)

    async def revive(self) -> None:
        """Open the same port again, with the same faults.

        Raises:
            OSError: The port is in use by another program.
        """
        await self._listener.open()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.http_requests += 1
        response = await self._handler.handle(await request.read(), self._dispatcher)
        if response is None:
            _abort(request)
            return web.Response()  # aiohttp needs one; the connection is closed already
        if response.share is not None:
            return await _cut_off(request, response)
        if response.body is None:
            return web.Response(status=204)
        return web.Response(
            status=response.status,
            headers=response.headers,
            body=response.body,
            content_type=response.content_type,
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=MAX_BODY_BYTES, timeout=1.0
        )
        if not socket.can_prepare(request).ok:
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        await socket.prepare(request)
        session = WebSocketSession(
            socket, self._handler, self._dispatcher, self.faults, lambda: _abort(request)
        )
        await self._subscribers.serve(session)
        return socket

    def _announce(self, block: Block) -> None:
        """Send the new head of this node to subscribers; it lags if the node does."""
        del block
        head = self.faults.constant_state().head
        if self.faults.silent or head is self._announced:
            return
        self._announced = head
        self._subscribers.announce(head)

    def _die_for(self, seconds: float) -> None:
        if self._death is None or self._death.done():
            self._death = asyncio.create_task(self._restart_after(seconds))

    async def _restart_after(self, seconds: float) -> None:
        await self.die()
        await asyncio.sleep(seconds)
        try:
            await self.revive()
        except OSError as error:
            logger.error("cannot open the port again, the node stays down: %s", error)

    async def _mine_regularly(self, block_time: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            # After a sleep of the machine, do not mine all missed blocks at once.
            due = max(due + block_time, clock())
            await asyncio.sleep(due - clock())
            self.chain.mine()


async def _cut_off(request: web.Request, response: Response) -> web.StreamResponse:
    """Send headers for the whole body, then a share of the body, and close the connection."""
    assert response.share is not None  # noqa: S101 - checked by the caller
    body = response.body or b""
    sent = web.StreamResponse(headers={"Content-Length": str(len(body))})
    sent.content_type = response.content_type
    await sent.prepare(request)
    await sent.write(body[: int(len(body) * response.share)])
    if request.transport is not None:
        request.transport.close()
    return sent


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
