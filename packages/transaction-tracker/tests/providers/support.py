"""Nodes that a test makes fail in every way, over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from transaction_tracker.domain import Chain, Link
from transaction_tracker.providers import Pool, ProviderStatus

SECRET = "s3cret"  # in every key, and in nothing else
# Each part of an address has a key of its own: with one for all of them, a part that nobody takes
# out of a text would be taken out by the rule for another part.
KEYS = (USER, PASSWORD, PATH, QUERY) = (
    f"{SECRET}-user",
    f"{SECRET}-password",
    f"{SECRET}-path",
    f"{SECRET}-query",
)
TOLD = " ".join(KEYS)
PATIENCE = 50.0

Mood = Callable[["Node", Any], Any]


GENESIS = "0x" + "0" * 63 + "1"


def hash_at(number: int, branch: int = 0) -> str:
    """Return the hash of a block of the nodes' chain, or of one of its branches."""
    return f"0x{branch:032x}{number + 1:032x}"


def link_at(number: int, branch: int = 0, fork: int = 0) -> Link:
    """Return a block of a branch that leaves the nodes' chain above block ``fork``."""
    parent = hash_at(number - 1, branch if number - 1 > fork else 0)
    return Link(number, hash_at(number, branch if number > fork else 0), parent)


def chain_to(tip: int, keep: int = 60, branch: int = 0, fork: int = 0) -> Chain:
    """Return the highest ``keep`` blocks of a branch as the follower keeps them."""
    numbers = range(max(0, tip - keep + 1), tip + 1)
    return Chain.of(keep, [link_at(number, branch, fork) for number in numbers])


class Node:
    """A node with a chain of empty blocks, in whatever mood the test wants.

    Attributes:
        head: The height of its chain.
        branch: Which chain it holds above block ``fork``; 0 is that of the other nodes.
        fork: The last block that it shares with the other nodes.
        mood: What it gives for an HTTP request: a response, JSON, or bytes.
        asked: How often each method was called.
        requests: How many HTTP requests came.
    """

    def __init__(self) -> None:
        self.chain_id = 1
        self.genesis = GENESIS
        self.head = 100
        self.branch = 0
        self.fork = 0
        self.blocks: dict[str, Any] = {}
        self.mood: Mood = well
        self.asked: Counter[str] = Counter()
        self.requests = 0
        self.port = 0
        self._awake = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}/v3/{PATH}?key={QUERY}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.requests += 1
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
