"""Nodes over real sockets, with the failures that a test chooses."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.providers import Pool, ProviderStatus

SECRET = "s3cret"  # in every key, and in nothing else
# Each part of a URL has its own key: with one key for all, a part that is not redacted would be
# covered by the rule for another part.
KEYS = (USER, PASSWORD, PATH, QUERY) = (
    f"{SECRET}-user",
    f"{SECRET}-password",
    f"{SECRET}-path",
    f"{SECRET}-query",
)
ALL_KEYS = " ".join(KEYS)
TIMEOUT_SECONDS = 50.0

Behaviour = Callable[["Node", Any], Any]


GENESIS = "0x" + "0" * 63 + "1"


def hash_at(number: int, branch: int = 0) -> str:
    """Return the hash of a block of the nodes' chain, or of one of its branches."""
    return f"0x{branch:032x}{number + 1:032x}"


def link_at(number: int, branch: int = 0, fork: int = 0) -> Link:
    """Return a block of a branch that leaves the nodes' chain above block ``fork``."""
    parent = hash_at(number - 1, branch if number - 1 > fork else 0)
    return Link(number, hash_at(number, branch if number > fork else 0), parent)


def chain_to(tip: int, keep: int = 60, branch: int = 0, fork: int = 0) -> KeptChain:
    """Return the highest ``keep`` blocks of a branch as the follower keeps them."""
    numbers = range(max(0, tip - keep + 1), tip + 1)
    return KeptChain.of(keep, [link_at(number, branch, fork) for number in numbers])


class Node:
    """A node with a chain of empty blocks, and a behaviour that the test chooses.

    Attributes:
        head: Height of its chain.
        branch: The chain that it holds above block ``fork``; 0 is that of the other nodes.
        fork: The last block that it shares with the other nodes.
        behaviour: Returns the response to an HTTP request: a response, JSON, or bytes.
        calls: Number of calls of each method.
        requests: Number of HTTP requests.
    """

    def __init__(self) -> None:
        self.chain_id = 1
        self.genesis = GENESIS
        self.head = 100
        self.branch = 0
        self.fork = 0
        self.blocks: dict[str, Any] = {}
        self.behaviour: Behaviour = normal
        self.calls: Counter[str] = Counter()
        self.requests = 0
        self.port = 0
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}/v3/{PATH}?key={QUERY}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.requests += 1
        for call in body if isinstance(body, list) else [body]:
            self.calls[call["method"]] += 1
        answer = self.behaviour(self, body)
        if answer is NO_RESPONSE:
            await self._released.wait()
            raise web.HTTPServiceUnavailable
        if isinstance(answer, web.StreamResponse):
            return answer
        content = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return web.Response(body=content, content_type="application/json")

    def result(self, request: Any) -> Any:
        match request["method"], request["params"]:
            case "eth_chainId", _:
                return hex(self.chain_id)
            case "eth_blockNumber", _:
                return hex(self.head)
            case "eth_getBlockByNumber", ["0x0" | "earliest", _]:
                return {"number": "0x0", "hash": self.genesis}
            case "eth_getBlockByNumber", ["latest", _]:
                return self.block(self.head)
            case "eth_getBlockByNumber", [number, _]:
                return self.block(int(number, 16))
            case "eth_getBlockByHash", [block_hash, _]:
                return self.blocks.get(block_hash)
        return None

    def block(self, number: int) -> dict[str, str] | None:
        if number > self.head:
            return None
        link = link_at(number, self.branch, self.fork)
        return {"number": hex(number), "hash": link.hash, "parentHash": link.parent}

    def release(self) -> None:
        self._released.set()


NO_RESPONSE = object()


def normal(node: Node, body: Any) -> Any:
    if isinstance(body, list):
        return [normal(node, call) for call in body]
    return {"jsonrpc": "2.0", "id": body["id"], "result": node.result(body)}


def hang(_node: Node, _body: Any) -> Any:
    return NO_RESPONSE


def garbage(_node: Node, _body: Any) -> Any:
    return b"<html>all is well</html>"


def status(code: int, **headers: str) -> Behaviour:
    return lambda _node, _body: web.Response(status=code, headers=headers)


def refusing(code: int, message: str, *methods: str) -> Behaviour:
    """Return a behaviour that refuses methods; by default all that do not identify the chain."""

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        identifies = body["method"] == "eth_chainId" or body["params"][:1] == ["0x0"]
        if body["method"] not in methods and (methods or identifies):
            return normal(node, body)
        return {"jsonrpc": "2.0", "id": body["id"], "error": {"code": code, "message": message}}

    return behaviour


@asynccontextmanager
async def serving(node: Node, **routes: Any) -> AsyncIterator[Node]:
    """Serve a node on its own port."""
    application = web.Application()
    application.router.add_post("/{path:.*}", node.handle)
    for path, handler in routes.items():
        application.router.add_get(f"/{path}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", node.port).start()
    node.port = runner.addresses[0][1]
    try:
        yield node
    finally:
        node.release()
        await runner.cleanup()


def states(pool: Pool) -> list[str]:
    return [provider.state for provider in pool.status()]


def status_of(pool: Pool, position: int) -> ProviderStatus:
    return pool.status()[position - 1]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition of which no message tells."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():
            await asyncio.sleep(0.002)
