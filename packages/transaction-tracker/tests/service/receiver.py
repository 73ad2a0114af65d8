"""A receiver of webhooks that verifies signatures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass
class Receiver:
    """Received webhooks, verified according to Standard Webhooks.

    Attributes:
        url: Where it listens.
        secret: What must have signed a webhook.
        ids: The ids of those that came, in order.
        messages: What they said.
        forged: Those that were not signed as they should be.
        open: Whether it answers, or lets everybody wait.
    """

    url: str = ""
    secret: str = ""
    ids: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, transaction: str) -> list[str]:
        """Return the received states of a transaction, in order."""
        told = [one["data"] for one in self.messages]
        return [one["state"] for one in told if one["id"] == transaction]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        name = request.headers.get("webhook-id", "")
        try:
            message = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.forged.append(f"{name}: {error}")
            return web.Response(status=400)
        self.ids.append(name)
        self.messages.append(message)
        await self.open.wait()
        return web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.open.set()
    application = web.Application()
    application.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
