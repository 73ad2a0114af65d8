"""Compare requests to one shard with the same requests through a router, on this machine.

``python -m benchmarks.tracker.sharding`` runs PostgreSQL, a development node, four shards and a
router, and prints ratios of medians. All of them share the machine: times mean nothing elsewhere.
"""

import asyncio
import itertools
import json
import random
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from psycopg import sql

from benchmarks.tracker import postgres
from transaction_tracker.domain.sharding import ShardMap
from txtrack_devnode import Chain, DevelopmentNode

SHARDS = 4
ROUNDS = 5
READS = 50
BATCH = 1_000
START_SECONDS = 120.0
MAP = ShardMap((SHARDS,))

Measure = Callable[[str], Awaitable[float]]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run ``txtrack`` while the block runs; yield its URL and its process at once."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transaction_tracker", *arguments, "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def program(http: aiohttp.ClientSession, *arguments: str) -> AsyncIterator[str]:
    """Run ``txtrack`` while the block runs; yield its URL once it is ready."""
    async with started(*arguments) as (url, _):
        async with asyncio.timeout(START_SECONDS):
            while not await is_ready(http, url):
                await asyncio.sleep(0.1)
        yield url


async def is_ready(http: aiohttp.ClientSession, url: str, path: str = "/readyz") -> bool:
    """Return whether the program at ``url`` answers ``path`` with 200."""
    try:
        async with http.get(f"{url}{path}") as reply:
            return reply.status == 200
    except aiohttp.ClientError:
        return False


def hashes(count: int, shard: int | None = None) -> list[str]:
    """Return ids of transactions that no node has: of one shard, or of all."""
    found = (f"0x{random.getrandbits(256):064x}" for _ in itertools.count())
    wanted = (text for text in found if shard is None or MAP.newest(text) == shard)
    return list(itertools.islice(wanted, count))


async def compared(title: str, measure: Measure, direct: str, routed: str) -> None:
    """Measure both in turns, and print the ratio of their medians."""
    times: dict[str, list[float]] = {direct: [], routed: []}
    for _ in range(ROUNDS):
        for url, found in times.items():
            found.append(await measure(url))
    medians = {url: statistics.median(found) for url, found in times.items()}
    print(
        f"{title}: through the router {medians[routed] / medians[direct]:.2f} times as long "
        f"({1000 * medians[direct]:,.0f} ms and {1000 * medians[routed]:,.0f} ms here)"
    )


async def measure_all(http: aiohttp.ClientSession, shards: list[str], router: str) -> None:
    """Print all ratios."""

    async def register(url: str, ids: list[str]) -> float:
        began = time.perf_counter()
        async with http.post(f"{url}/v1/transactions", json=[{"id": tx} for tx in ids]) as reply:
            content: Any = await reply.json()
        assert content["accepted"] == len(ids), content
        return time.perf_counter() - began

    (known,) = hashes(1, shard=0)
    await register(router, [known])

    async def read(url: str) -> float:
        began = time.perf_counter()
        for _ in range(READS):
            async with http.get(f"{url}/v1/transactions/{known}") as reply:
                await reply.read()
        return time.perf_counter() - began

    async def read_together(url: str) -> float:
        async def one() -> None:
            async with http.get(f"{url}/v1/transactions/{known}") as reply:
                await reply.read()

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(READS)))
        return time.perf_counter() - began

    async def batch(url: str) -> float:
        # The shard gets its own only; the router splits a mixture among all shards.
        return await register(url, hashes(BATCH, None if url == router else 0))

    await compared(f"{READS} reads, one after the other", read, shards[0], router)
    await compared(f"{READS} reads at once", read_together, shards[0], router)
    await compared(f"{BATCH:,} registrations in one request", batch, shards[0], router)


async def main() -> None:
    """Run everything."""
    with postgres.running() as server:
        create = "CREATE DATABASE shards LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0"
        server.execute(sql.SQL(create))
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            node = await stack.enter_async_context(DevelopmentNode(chain=Chain(accounts=2)))
            common = ("--rpc", node.url, "--database", server.url("shards"))
            shards = [
                await stack.enter_async_context(
                    program(
                        http,
                        *("serve", *common, "--set", f"shard.number={number}"),
                        *("--set", f"shard.count={SHARDS}"),
                    )
                )
                for number in range(SHARDS)
            ]
            urls = json.dumps([[url] for url in shards])
            router = await stack.enter_async_context(
                program(http, "route", "--set", f"router.shards={urls}")
            )
            await measure_all(http, shards, router)


if __name__ == "__main__":
    asyncio.run(main())
