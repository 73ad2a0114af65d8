"""What a provider sends over its WebSocket."""

import asyncio

import pytest
from aiohttp import web

from transaction_tracker.providers.websocket import connected
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum.url import WEBSOCKET, SecretUrl

PATIENCE = 30.0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ('{"result":[' + "{}," * 30_000 + "{}]}", "too many values"),
        ("[" * 300, "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not JSON-RPC"),
    ],
)
async def test_a_message_that_is_not_a_small_object_is_refused(sent: str, words: str) -> None:
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
    async with asyncio.timeout(PATIENCE), connected(url, PATIENCE, 1.0) as socket:
        with pytest.raises(MalformedError, match=words):
            await socket.receive()
    await runner.cleanup()
