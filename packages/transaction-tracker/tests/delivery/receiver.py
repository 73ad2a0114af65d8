"""A receiver of webhooks with scripted responses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from aiohttp import web

Answer = web.StreamResponse | int
Script = Callable[["Received"], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Received:
    """One received webhook."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Receiver:
    """A server on 127.0.0.1 that records webhooks and responds by a script.

    Attributes:
        script: Returns the response, or its status, for each webhook.
        received: All webhooks, in order.
        accepted: Ids of the webhooks that got a 2xx response, in order.
        most: Maximum number of webhooks handled concurrently.
    """

    script: Script = lambda _: 204
    received: list[Received] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    most: int = 0
    _busy: int = 0
    _port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Start to listen, at the same port as before if there was one."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Received(request.path, headers, await request.read())
        self.received.append(came)
        self._busy += 1
        self.most = max(self.most, self._busy)
        try:
            answer = self.script(came)
            if not isinstance(answer, int | web.StreamResponse):
                answer = await answer
        finally:
            self._busy -= 1
        response = web.Response(status=answer) if isinstance(answer, int) else answer
        if 200 <= response.status < 300:
            self.accepted.append(came.id)
        return response


class Gate:
    """A script that responds once it is opened."""

    def __init__(self, status: int = 204) -> None:
        self.opened = asyncio.Event()
        self._status = status

    async def __call__(self, _: Received) -> int:
        await self.opened.wait()
        return self._status
