"""A Bitcoin node: the chain behind JSON-RPC over HTTP, with a user and a password."""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import orjson
from aiohttp import web

from txtrack_devnode.bitcoin.chain import BitcoinChain
from txtrack_devnode.bitcoin.methods import IN_WARMUP, BitcoinMethods, NodeState
from txtrack_devnode.listener import HttpListener
from txtrack_devnode.rpc import Dispatcher, RpcError, parse_body

USER, PASSWORD = "tracker", "only for tests"


class BitcoinNode:
    """A node that runs in this event loop while an ``async with`` block does.

    Several nodes can share a chain, as honest nodes of one network do; a node with a copy of the
    chain is on a branch of its own after the next block.

    Args:
        chain: The chain. Default: a new one whose first rewards can be spent.
        state: How the node differs from others.
        port: Port to listen on; 0 chooses a free port.

    Attributes:
        chain: The chain that the node is on.
        state: How the node differs from others; can be changed at any time.
        lies: Functions that replace the result of a method; they get the true result.
        credentials: User and password, separated by a colon.
    """

    def __init__(
        self, chain: BitcoinChain | None = None, state: NodeState | None = None, *, port: int = 0
    ) -> None:
        self.chain: BitcoinChain = BitcoinChain.mature() if chain is None else chain
        self.state: NodeState = NodeState() if state is None else state
        self.lies: dict[str, Callable[[object, list[object]], object]] = {}
        self.credentials = f"{USER}:{PASSWORD}"
        self._methods = BitcoinMethods(self.chain, self.state)
        self._dispatcher = Dispatcher(self._methods.table(), wrapper=self._call)
        self._listener = HttpListener("127.0.0.1", port, post=self._post, get=_no_page)

    async def __aenter__(self) -> Self:
        """Open the port."""
        await self._listener.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port."""
        await self._listener.close(at_once=True)

    def follow(self, chain: BitcoinChain) -> None:
        """Put the node on another chain, as if it had got other blocks from its peers."""
        self.chain = chain
        self._methods.follow(chain)

    @property
    def url(self) -> str:
        """URL of the node, with the user and the password."""
        user, _, password = self.credentials.partition(":")
        place = self._listener.url.removeprefix("http://")
        return f"http://{user}:{password.replace(' ', '%20')}@{place}"

    @property
    def open_url(self) -> str:
        """URL of the node, without a user."""
        return self._listener.url

    @property
    def counters(self) -> Counter[str]:
        """Number of calls per method."""
        return self._dispatcher.counters

    def _call(self, name: str, params: list[object], call: Callable[[], object]) -> object:
        if self.state.warmup:
            raise RpcError(IN_WARMUP, "Loading block index…")
        found = call()
        lie = self.lies.get(name)
        return found if lie is None else lie(found, params)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        wanted = f"Basic {b64encode(self.credentials.encode()).decode()}"
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401)
        body = self._dispatcher.answer(parse_body(await request.read()))
        # An error of a single call has the status 500, as before JSON-RPC 2.0 was supported.
        answer = orjson.loads(body or b"null")
        failed = isinstance(answer, dict) and "error" in answer
        status = 500 if failed else 200
        return web.Response(status=status, body=body, content_type="application/json")


async def _no_page(request: web.Request) -> web.StreamResponse:
    del request
    return web.Response(status=405)
