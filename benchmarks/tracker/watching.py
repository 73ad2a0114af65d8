"""Who else listens to a node: a process of its own that notes when each new head is announced.

What it notes is the earliest moment at which anybody outside the node can know of a block.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}


@dataclass(frozen=True, slots=True)
class Watcher:
    """Somebody who listens."""

    _process: asyncio.subprocess.Process

    async def next(self) -> tuple[int, float]:
        """Give the next block that was announced, and when, by the machine's monotonic clock."""
        told = await _read(self._process)
        return told["number"], told["time"]


@asynccontextmanager
async def running(ws_url: str) -> AsyncIterator[Watcher]:
    """Listen for as long as the context lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, ws_url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await _read(process)
        yield Watcher(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the watcher has ended")
    return json.loads(line)


async def watch(url: str) -> None:
    """Be the watcher."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json(_SUBSCRIBE)
        async for message in socket:
            now = time.monotonic()
            told = message.json()
            if "params" in told:
                number = int(told["params"]["result"]["number"], 16)
                print(json.dumps({"number": number, "time": now}), flush=True)
            else:
                print(json.dumps({}), flush=True)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1]))
