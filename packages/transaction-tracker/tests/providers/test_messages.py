"""Invalid messages of a provider over its WebSocket."""

import asyncio

import pytest
from aiohttp import web

from transaction_tracker.providers.websocket import connect
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum.url import WEBSOCKET, SecretUrl

TIMEOUT_SECONDS = 30.0


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ('{"result":[' + "{}," * 30_000 + "{}]}", "too many values"),
        ("[" * 300, "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not JSON-RPC"),
    ],
)
async def test_message_that_is_not_a_small_object_is_refused(sent: str, message: str) -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(sent)
        await socket.receive()
        return socket

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = SecretUrl(f"ws://127.0.0.1:{runner.addresses[0][1]}", WEBSOCKET)
    async with asyncio.timeout(TIMEOUT_SECONDS), connect(url, TIMEOUT_SECONDS, 1.0) as socket:
        with pytest.raises(MalformedError, match=message):
            await socket.receive()
    await runner.cleanup()
