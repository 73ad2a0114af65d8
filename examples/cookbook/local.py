"""A development chain and the service beside it, so that the programs here need nothing else.

In production, the service is `txtrack serve` on another machine, and this file is not needed.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WebOptions
from transaction_tracker.delivery import endpoints
from txtrack_devnode import DevelopmentNode

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def service(node: DevelopmentNode, **settings: Any) -> AsyncIterator[str]:
    """Run the service on a free port, with a state that is final after 3 blocks; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        usual: dict[str, Any] = {
            "confirmations": 3,
            "database": ":memory:",
            "poll_interval": 0.02,
            "allow_private": ("127.0.0.1",),
            "web": WebOptions(port=listener.getsockname()[1]),
        }
        chosen = Settings(node.url, **(usual | settings))
        async with TransactionTrackerApplication(chosen, listener=listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def subscribe(port: int) -> str:
    """Send the events of all transactions to a port of this machine; return the secret.

    In production: ``txtrack webhook add https://shop.example/hook``.
    """
    endpoint = await endpoints.add(f"http://127.0.0.1:{port}/hook")
    return endpoint.secret.reveal()


@asynccontextmanager
async def listen(handler: Handler, port: int) -> AsyncIterator[None]:
    """Serve ``POST /hook``."""
    app = web.Application()
    app.router.add_post("/hook", handler)
    # The service keeps its connection open; a restart must not wait for that.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        yield
    finally:
        await runner.cleanup()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def mine(node: DevelopmentNode, until: Callable[[], bool]) -> None:
    """Mine a block now and then, as a chain does, until a condition holds."""
    while not until():
        await node.mine()
        await asyncio.sleep(0.1)
