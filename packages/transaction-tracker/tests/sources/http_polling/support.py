"""A service with scripted responses, and a source that polls it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from transaction_tracker.domain import State
from transaction_tracker.sources.http_polling import HttpPollingSource

SECRET = "s3cret-bank-key"

WORDS: dict[str, State | None] = {
    "processing": "pending",
    "settled": "confirmed",
    "rejected": "failed",
    "returned": "reversed",
    "noted": None,
}

Answer = Callable[[web.Request], Any]


class ScriptedService:
    """Responds with what ``answer`` returns: a value, bytes, or a whole response."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: {"status": "settled"}
        self.url = ""
        self.received: list[web.Request] = []

    @property
    def paths(self) -> list[str]:
        """The requested paths, as received."""
        return [request.raw_path for request in self.received]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.received.append(request)
        answer = self.answer(request)
        if hasattr(answer, "__await__"):
            answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return web.Response(body=body, content_type="application/json")


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedService]:
    """Run a scripted service on a free port."""
    service = ScriptedService()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield service
    finally:
        await runner.cleanup()


def source(service: ScriptedService, **options: Any) -> HttpPollingSource:
    """Return a source of the service, with a secret in its URL and in a header."""
    defaults: dict[str, Any] = {
        "url": f"{service.url}/{SECRET}/transfers/{{id}}",
        "name": "bank",
        "status": "status",
        "words": WORDS,
        "headers": {"Authorization": f"Bearer {SECRET}"},
        "allow": ["127.0.0.1"],
    }
    return HttpPollingSource(**(defaults | options))
