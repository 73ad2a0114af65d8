"""The development node as a process of its own, so that its work and memory are not measured.

It listens on 127.0.0.1, knows masses of transactions, and does what its starter writes to it:
``mine`` or ``count``. It ends when its starter does.
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

from benchmarks.tracker.prepared import waiting
from transaction_tracker.node import DevelopmentNode

ROOT = Path(__file__).parents[2]
START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Head:
    """Where the node is.

    Attributes:
        number: Its highest block.
        hash: That block's.
        requests: HTTP requests that it got so far.
        calls: JSON-RPC calls that these held.
        time: When it said so, by the machine's monotonic clock.
    """

    number: int
    hash: str
    requests: int
    calls: int
    time: float


@dataclass(frozen=True, slots=True)
class Node:
    """A running node.

    Attributes:
        url: Where it listens.
    """

    url: str
    _process: asyncio.subprocess.Process

    @property
    def ws_url(self) -> str:
        """Where it tells of new heads."""
        return f"ws{self.url.removeprefix('http')}"

    async def mine(self) -> Head:
        """Mine a block."""
        return await self._ask("mine")

    async def count(self) -> Head:
        """Say where it is."""
        return await self._ask("count")

    async def _ask(self, what: str) -> Head:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n".encode())
        return Head(**await _read(self._process))


@asynccontextmanager
async def running(transactions: int, per_block: int) -> AsyncIterator[Node]:
    """Run a node on which so many transactions wait, and so many fit into a block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(transactions), str(per_block)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            url = (await _read(process))["url"]
        yield Node(url, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the node has ended")
    return json.loads(line)


async def serve(transactions: int, per_block: int) -> None:
    """Be the node."""
    async with DevelopmentNode(chain=waiting(transactions, per_block)) as node:
        print(json.dumps({"url": node.url}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            head = (await node.mine()) if line.strip() == "mine" else node.chain.head
            told = Head(
                head.number,
                head.hash,
                node.http_requests,
                node.counters.total(),
                time.monotonic(),
            )
            print(json.dumps({name: getattr(told, name) for name in Head.__slots__}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
