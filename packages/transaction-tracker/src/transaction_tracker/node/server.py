"""The development node: a chain behind JSON-RPC over HTTP, in this event loop."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

from aiohttp import web
from yarl import URL

from transaction_tracker.node.block import Block
from transaction_tracker.node.chain import Chain, ChainError
from transaction_tracker.node.controls import ControlMethods
from transaction_tracker.node.ethereum import EthereumMethods
from transaction_tracker.node.rpc import Dispatcher

MAX_BODY_BYTES = 5 * 2**20
_SHUTDOWN_SECONDS = 1.0


class DevelopmentNode:
    """A node that lives in this event loop, from ``async with`` to its end.

    The node trusts whoever reaches it: leave it on a loopback address.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, which ``url`` then tells.
        chain_id: What ``eth_chainId`` answers.
        block_time: Seconds from block to block; ``None`` mines only when told to.
        chain: A chain made elsewhere, in place of a new one with ``chain_id``.

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
    ) -> None:
        if block_time is not None and block_time <= 0:
            raise ValueError(f"block_time must be over 0 seconds or None, got {block_time!r}")
        self.chain = Chain(chain_id=chain_id) if chain is None else chain
        self.http_requests = 0
        self._host, self._port = host, port
        self._block_time = block_time
        self._miner: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._dispatcher = Dispatcher(
            {**EthereumMethods(self.chain).table(), **ControlMethods(self.chain).table()},
            refusals=(ChainError,),
        )

    async def __aenter__(self) -> Self:
        """Listen, and start mining if there is a block time."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_post("/", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
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
        if self._miner is not None:
            self._miner.cancel()
            await asyncio.wait([self._miner])
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where the node listens."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the node does not listen: use it in an 'async with' block")
        host, port = self._runner.addresses[0][:2]
        return str(URL.build(scheme="http", host=host, port=port))

    @property
    def counters(self) -> Counter[str]:
        """How often each method was asked for, items of batches counted one by one."""
        return self._dispatcher.counters

    async def mine(self, count: int = 1) -> Block:
        """Mine blocks, let other tasks run once, and return the new head."""
        head = self.chain.mine(count)[-1]
        await asyncio.sleep(0)
        return head

    async def _handle(self, request: web.Request) -> web.Response:
        self.http_requests += 1
        answer = self._dispatcher.answer(await request.read())
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type="application/json")

    async def _mine_regularly(self, block_time: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            # A machine that slept must not mine all the blocks it missed in one go.
            due = max(due + block_time, clock())
            await asyncio.sleep(due - clock())
            self.chain.mine()
