"""A receiver of webhooks, as a process of its own: it takes what comes, and counts it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver.

    Attributes:
        url: Where webhooks go.
    """

    url: str
    _process: asyncio.subprocess.Process

    async def all(self) -> tuple[float, int]:
        """Wait until it has got all different messages that it was to get.

        Returns:
            When the last one came, by the machine's monotonic clock; and how many requests that
            took.
        """
        told = await _read(self._process)
        return told["time"], told["requests"]


@asynccontextmanager
async def running(expected: int) -> AsyncIterator[Receiver]:
    """Run a receiver that waits for so many messages."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(expected)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            url = (await _read(process))["url"]
        yield Receiver(url, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the receiver has ended")
    return json.loads(line)


async def receive(expected: int) -> None:
    """Be the receiver."""
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
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook"}), flush=True)
    await everything.wait()
    print(json.dumps({"time": time.monotonic(), "requests": requests}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(receive(int(sys.argv[1])))
