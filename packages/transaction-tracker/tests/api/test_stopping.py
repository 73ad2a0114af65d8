"""Requests in progress when the service stops."""

import asyncio
import logging
import threading
from contextlib import suppress

import aiohttp
import pytest
from starlette.types import Message, Receive, Scope, Send

from beamish import ExitError
from transaction_tracker.api.guard import Guard
from transaction_tracker.store import Store

from .support import serving


async def test_request_cancelled_at_shutdown_is_not_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on, began = threading.Event(), threading.Event()

    def slow(_connection: object) -> None:
        began.set()
        go_on.wait(30)

    async with serving(shutdown_seconds=0.05) as client:
        working = asyncio.create_task(Store.run(slow))
        await asyncio.to_thread(began.wait, 30)
        # It needs the store, which is busy for longer than there is time.
        request = asyncio.create_task(client.get("/v1/events"))
        while not any(task.get_coro().__name__ == "run_asgi" for task in asyncio.all_tasks()):  # type: ignore[union-attr]
            await asyncio.sleep(0.002)
        releasing = asyncio.get_running_loop().call_later(1.5, go_on.set)

    with suppress(aiohttp.ClientError):
        await request
    await asyncio.wait((working,))
    working.exception()
    releasing.cancel()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_started_response_is_aborted_without_an_error() -> None:
    """The connection is aborted: an error would be logged with a traceback."""
    cut_off: list[None] = []
    sent: list[Message] = []

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ExitError("killed", "TransactionTracker.Store")

    async def receive() -> Message:
        raise AssertionError("nothing is to be read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/stream",
        "query_string": b"",
        "headers": [],
        "state": {"abort": lambda: cut_off.append(None)},
    }

    await Guard(stream, 10, 10.0, 1_000)(scope, receive, send)

    assert len(cut_off) == 1
    assert [message["type"] for message in sent] == ["http.response.start"]
