"""Receivers of webhooks as a process of its own: one that answers, and many that never do."""

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
class Receivers:
    """Running receivers.

    Attributes:
        good: The URL of the receiver that answers.
        hanging_port: A port at which connections are taken, and never answered.
    """

    good: str
    hanging_port: int
    _partner: Partner

    def hanging(self, count: int) -> list[str]:
        """Return the URLs of receivers that never answer, each at a host of its own."""
        hosts = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
        return [f"http://{host}:{self.hanging_port}/hook" for host in hosts]

    async def arrivals(self) -> dict[int, float]:
        """Return when the first message about each block arrived at the good receiver.

        Returns:
            The machine's monotonic clock, by the number of the block.
        """
        self._partner.tell("arrivals")
        told = await self._partner.hear()
        return {int(block): at for block, at in told["arrivals"].items()}


@asynccontextmanager
async def running() -> AsyncIterator[Receivers]:
    """Run the receivers."""
    async with partner.running(__name__) as program:
        async with asyncio.timeout(START_SECONDS):
            told = await program.hear()
        yield Receivers(told["good"], told["hanging_port"], program)


async def receive() -> None:
    """Run the receivers."""
    arrivals: dict[int, float] = {}

    async def take(request: web.Request) -> web.Response:
        block = (await request.json())["data"]["block"]
        if block is not None:
            arrivals.setdefault(block["number"], time.monotonic())
        return web.Response(status=204)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(2**16):
            pass
        writer.close()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = await asyncio.start_server(hang, "0.0.0.0", 0, backlog=1_024)
    good = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    partner.say({"good": good, "hanging_port": server.sockets[0].getsockname()[1]})
    while await asyncio.to_thread(sys.stdin.readline):
        partner.say({"arrivals": arrivals})


if __name__ == "__main__":
    asyncio.run(receive())
