"""Who else listens to a node: a process of its own that notes when each new head is announced.

What it notes is the earliest moment at which anybody outside the node can know of a block.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks.tracker import partner
from benchmarks.tracker.partner import Partner

START_SECONDS = 20.0
_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}


@dataclass(frozen=True, slots=True)
class Watcher:
    """Somebody who listens."""

    _partner: Partner

    async def next(self) -> tuple[int, float]:
        """Return the next announced block and its time on the machine's monotonic clock."""
        told = await self._partner.hear()
        return told["number"], told["time"]


@asynccontextmanager
async def running(ws_url: str) -> AsyncIterator[Watcher]:
    """Listen for as long as the context lasts."""
    async with partner.running(__name__, ws_url) as program:
        async with asyncio.timeout(START_SECONDS):
            await program.hear()
        yield Watcher(program)


async def watch(url: str) -> None:
    """Run the watcher."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json(_SUBSCRIBE)
        async for message in socket:
            now = time.monotonic()
            told = message.json()
            if "params" in told:
                number = int(told["params"]["result"]["number"], 16)
                partner.say({"number": number, "time": now})
            else:
                partner.say({})


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1]))
