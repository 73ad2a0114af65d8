"""A router in this event loop, in front of shards that respond as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from transaction_tracker.api import WebOptions
from transaction_tracker.domain.sharding import ShardMap
from transaction_tracker.router.application import ROUTER, RouterApplication, RouterWeb

PATIENCE = 50.0
PROBLEM = "urn:problem-type:transaction-tracker:"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FakeShard:
    """A program of a shard, which responds as a test wants.

    Attributes:
        shown: What its responses say that it is.
        state: ``"owner"``, ``"standby"`` or ``"silent"``.
        handlers: What it responds, by method and path; otherwise it accepts everything.
        requests: The requests but the checks of the router, with their bodies.
    """

    shown: str = "0/1"
    state: str = "owner"
    handlers: dict[str, Handler] = field(default_factory=dict)
    requests: list[tuple[web.Request, Any]] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeShard"]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._respond)
        app.on_response_prepare.append(self._show)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def paths(self) -> list[str]:
        """Return the method, path and query of each request."""
        return [f"{request.method} {request.path_qs}" for request, _ in self.requests]

    async def _show(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self.shown:
            response.headers["X-Shard"] = self.shown

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        while self.state == "silent":
            await asyncio.sleep(0.01)
        if self.state == "standby":
            return problem(503, "standby", "this service is a standby")
        if request.path == "/readyz":
            return web.json_response({"status": "ready"})
        body = await request.json() if request.can_read_body else None
        if request.path == "/v1/service" and "/v1/service" not in self.handlers:
            return web.json_response({"scopes": ["admin"], "token": None})
        self.requests.append((request, body))
        handler = self.handlers.get(request.path)
        return (
            web.json_response({"from": self.shown}) if handler is None else await handler(request)
        )


def problem(status: int, kind: str, detail: str, **more: Any) -> web.Response:
    """Return a problem, as a service does."""
    content = {"type": PROBLEM + kind, "status": status, "detail": detail, **more}
    return web.json_response(content, status=status, content_type="application/problem+json")


@dataclass
class Client:
    """A client of a router.

    Attributes:
        url: URL of the router.
        http: The HTTP client.
    """

    url: str
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Send a request; return its status and content."""
        async with self.http.request(method, self.url + path, **options) as reply:
            content = await reply.json(content_type=None) if method != "HEAD" else None
            return reply.status, content

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        """Send a GET request."""
        return await self.ask("GET", path, **options)

    async def until(self, path: str, condition: Callable[[int, Any], object]) -> Any:
        """Request a path until the response fulfils a condition."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status, content = await self.get(path)
                if condition(status, content):
                    return content
                await asyncio.sleep(0.01)


@asynccontextmanager
async def routing(
    *shards: FakeShard | list[FakeShard],
    former: tuple[int, ...] = (),
    seconds: float = PATIENCE,
    **options: Any,
) -> AsyncIterator[Client]:
    """Run shards, each with one or more programs, and a router in front of them."""
    async with AsyncExitStack() as stack:
        urls = []
        for shard in shards:
            programs = shard if isinstance(shard, list) else [shard]
            for program in programs:
                if not program.url:
                    await stack.enter_async_context(program.running())
            urls.append([program.url for program in programs])
        web_options = WebOptions(**({"port": 0, "shutdown_seconds": 1.0} | options))
        shard_map = ShardMap((len(urls), *former))
        await stack.enter_async_context(RouterApplication(urls, shard_map, web_options, seconds))
        connector = aiohttp.TCPConnector(force_close=True)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Client(await RouterWeb.url(ROUTER), http)


def several(count: int, former: str = "") -> list[FakeShard]:
    """Return the shards of a service."""
    return [FakeShard(f"{number}/{count}{former}") for number in range(count)]


def ids_of(shard: int, count: int, wanted: int = 3) -> list[str]:
    """Return ids that a number of shards assigns to a shard."""
    numbered = (f"payment{number}" for number in range(10_000))
    found = (text for text in numbered if ShardMap((count,)).newest(text) == shard)
    return [next(found) for _ in range(wanted)]


async def until(condition: Callable[[], object]) -> None:
    """Poll until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
