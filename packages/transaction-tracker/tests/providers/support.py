"""Nodes that a test makes fail in every way, over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from transaction_tracker.providers import Pool, ProviderStatus

SECRET = "s3cret-project-key"
PATIENCE = 20.0

Mood = Callable[["Node", Any], Any]


class Node:
    """A node with a chain that is nothing but a height, in whatever mood the test wants.

    Attributes:
        mood: What it gives for an HTTP request: a response, JSON, or bytes.
        asked: How often each method was called.
    """

    def __init__(self) -> None:
        self.chain_id = 1
        self.genesis = "0x" + "0" * 63 + "1"
        self.head = 100
        self.blocks: dict[str, Any] = {}
        self.mood: Mood = well
        self.asked: Counter[str] = Counter()
        self.port = 0
        self._awake = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://user:{SECRET}@127.0.0.1:{self.port}/v3/{SECRET}?key={SECRET}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        for one in body if isinstance(body, list) else [body]:
            self.asked[one["method"]] += 1
        answer = self.mood(self, body)
        if answer is SILENCE:
            await self._awake.wait()
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
            case "eth_getBlockByNumber", ["0x0", _]:
                return {"number": "0x0", "hash": self.genesis}
            case "eth_getBlockByNumber", ["latest", _]:
                return {"number": hex(self.head), "hash": self.genesis}
            case "eth_getBlockByHash", [block_hash, _]:
                return self.blocks.get(block_hash)
        return None

    def wake(self) -> None:
        self._awake.set()


SILENCE = object()


def well(node: Node, body: Any) -> Any:
    if isinstance(body, list):
        return [well(node, one) for one in body]
    return {"jsonrpc": "2.0", "id": body["id"], "result": node.result(body)}


def hang(_node: Node, _body: Any) -> Any:
    return SILENCE


def garbage(_node: Node, _body: Any) -> Any:
    return b"<html>all is well</html>"


def status(code: int, **headers: str) -> Mood:
    return lambda _node, _body: web.Response(status=code, headers=headers)


def refusing(code: int, message: str, *methods: str) -> Mood:
    """Refuse some methods, or all but those that tell which chain this is."""

    def mood(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [mood(node, one) for one in body]
        told = body["method"] == "eth_chainId" or body["params"][:1] == ["0x0"]
        if body["method"] not in methods and (methods or told):
            return well(node, body)
        return {"jsonrpc": "2.0", "id": body["id"], "error": {"code": code, "message": message}}

    return mood


@asynccontextmanager
async def serving(node: Node, **routes: Any) -> AsyncIterator[Node]:
    """Let a node listen on a port of its own."""
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
        node.wake()
        await runner.cleanup()


def states(pool: Pool) -> list[str]:
    return [one.state for one in pool.status()]


def status_of(pool: Pool, place: int) -> ProviderStatus:
    return pool.status()[place - 1]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition that nobody sends a message about."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)
