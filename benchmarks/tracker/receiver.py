"""A receiver of webhooks, as a process of its own: it takes what comes, and counts it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from benchmarks.tracker import partner
from benchmarks.tracker.partner import Partner

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver.

    Attributes:
        url: Where webhooks go.
    """

    url: str
    _partner: Partner

    async def all(self) -> tuple[float, int]:
        """Wait until it has got all different messages that it was to get.

        Returns:
            When the last one came, by the machine's monotonic clock; and how many requests that
            took.
        """
        told = await self._partner.hear()
        return told["time"], told["requests"]


@asynccontextmanager
async def running(expected: int) -> AsyncIterator[Receiver]:
    """Run a receiver that waits for so many messages."""
    async with partner.running(__name__, str(expected)) as program:
        async with asyncio.timeout(START_SECONDS):
            url = (await program.hear())["url"]
        yield Receiver(url, program)


async def receive(expected: int) -> None:
    """Run the receiver."""
    requests, ids = 0, set[str]()
    everything = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        nonlocal requests
        await request.read()
        requests += 1
        ids.add(request.headers["webhook-id"])
        if len(ids) == expected:
            everything.set()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    partner.say({"url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook"})
    await everything.wait()
    partner.say({"time": time.monotonic(), "requests": requests})
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(receive(int(sys.argv[1])))
