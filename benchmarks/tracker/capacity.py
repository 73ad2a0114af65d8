"""Measure what one shard holds, how it starts and follows, and how fast a standby replaces it.

``python -m benchmarks.tracker.capacity`` runs PostgreSQL, a development node, and one shard of
four. It registers transactions that stay open, in steps; after each it starts the shard again, and
prints a row, which ``docs/tracker/sharding.md`` plans with. Then it mines blocks with more and more
transactions of the shard, and at the end kills it beside a standby. Sizes hold on any machine;
times mean nothing while others use it.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psycopg
from psycopg import sql

from benchmarks.tracker import postgres
from benchmarks.tracker.sharding import MAP, SHARDS, START_SECONDS, hashes, is_ready, started
from txtrack_devnode import Chain, DevelopmentNode

DATABASE = "capacity"
BATCH = 10_000
LEASE_SECONDS = 3.0
HITS = (10, 100, 1_000, 5_000)
BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What a shard with so many open transactions takes.

    Attributes:
        tracked: Open transactions.
        seconds: Time of their registration since the row before.
        start: Seconds from the start of the program until it is ready, with all of them.
        resident: Resident bytes of the owner after that.
        stored: Bytes of the database.
    """

    tracked: int
    seconds: float
    start: float
    resident: int
    stored: int


def resident_bytes(pid: int) -> int:
    """Return the resident memory of another process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def stored_bytes(url: str) -> int:
    """Return the size of the database, indexes and the service's empty tables included."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def table(rows: list[Row]) -> Iterator[str]:
    """Return the lines of the table: each row compared with the first, which has none open."""
    yield (
        "| open transactions | bytes of memory each | bytes of database each "
        "| registered per second | start |"
    )
    yield "|---:|---:|---:|---:|---:|"
    first = rows[0]
    yield f"| 0 | | | | {first.start:.1f} s |"
    for before, row in itertools.pairwise(rows):
        count = row.tracked - first.tracked
        yield (
            f"| {row.tracked:,} | {(row.resident - first.resident) / count:,.0f} "
            f"| {(row.stored - first.stored) / count:,.0f} "
            f"| {(row.tracked - before.tracked) / row.seconds:,.0f} | {row.start:.1f} s |"
        )


async def register(http: aiohttp.ClientSession, url: str, count: int) -> None:
    """Register transactions of shard 0 that no node has."""
    while count > 0:
        ids = hashes(min(count, BATCH), shard=0)
        await register_all(http, url, ids)
        count -= len(ids)


async def register_all(http: aiohttp.ClientSession, url: str, ids: list[str]) -> None:
    """Register these transactions."""
    async with http.post(f"{url}/v1/transactions", json=[{"id": tx} for tx in ids]) as reply:
        content = await reply.json()
    if content.get("accepted") != len(ids):
        raise RuntimeError(f"expected {len(ids)} accepted registrations; got {content}")


async def applied(http: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """Return the seconds that all blocks took, and the shard's transactions found in them."""
    async with http.get(f"{url}/metrics") as reply:
        lines = (await reply.text()).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    seconds = float(values["transaction_tracker_block_apply_seconds_sum"])
    return seconds, int(float(values["transaction_tracker_block_hits_total"]))


async def measure_blocks(http: aiohttp.ClientSession, url: str, chain: Chain) -> None:
    """Print how long a block takes, by the number of its transactions that the shard tracks."""
    print("\n| tracked transactions in a block of four times as many | fetch to commit |")
    print("|---:|---:|")
    for hits in HITS:
        seconds = []
        for _ in range(BLOCKS):
            ids = submitted(chain, hits)
            await register_all(http, url, ids)
            before, found = await applied(http, url)
            chain.mine()
            async with asyncio.timeout(START_SECONDS):
                while (after := await applied(http, url))[1] < found + len(ids):
                    await asyncio.sleep(0.05)
            seconds.append(after[0] - before)
        print(f"| {hits:,} | {1000 * statistics.median(seconds):,.0f} ms |")


def submitted(chain: Chain, count: int) -> list[str]:
    """Submit transactions until so many belong to shard 0; return these."""
    sender, receiver, *_ = chain.accounts
    ids: list[str] = []
    while len(ids) < count:
        tx = chain.submit(sender, receiver, 1).hash
        if MAP.newest(tx) == 0:
            ids.append(tx)
    return ids


async def measure(
    http: aiohttp.ClientSession, server: postgres.Postgres, node: DevelopmentNode, steps: list[int]
) -> None:
    """Print all tables, and the time of the take-over with the last number of transactions."""
    database = server.url(DATABASE)
    arguments = (
        *("serve", "--standby", "--rpc", node.url, "--database", database),
        *("--set", "shard.number=0", "--set", f"shard.count={SHARDS}"),
        *("--set", f"database.lease={LEASE_SECONDS}"),
    )
    rows: list[Row] = []
    registering = 1.0
    for before, after in itertools.pairwise([0, *steps, steps[-1]]):
        began = time.perf_counter()
        async with started(*arguments) as (url, owner):
            await until_ready(http, url)
            start = time.perf_counter() - began
            resident = resident_bytes(owner.pid)
            rows.append(Row(before, registering, start, resident, stored_bytes(database)))
            began = time.perf_counter()
            await register(http, url, after - before)
            registering = time.perf_counter() - began
    print("\n".join(table(rows)))
    async with AsyncExitStack() as stack:
        url, owner = await stack.enter_async_context(started(*arguments))
        await until_ready(http, url)
        await measure_blocks(http, url, node.chain)
        standby, _ = await stack.enter_async_context(started(*arguments))
        await until_alive(http, standby)
        owner.kill()
        began = time.perf_counter()
        await until_ready(http, standby)
        print(
            f"\nowner killed with {rows[-1].tracked:,} open: the standby is ready after "
            f"{time.perf_counter() - began:.1f} s, at most {LEASE_SECONDS:.0f} s of them the lease"
        )


async def until_ready(http: aiohttp.ClientSession, url: str) -> None:
    """Wait until the program at ``url`` owns the shard and follows the chain."""
    async with asyncio.timeout(START_SECONDS):
        while not await is_ready(http, url):
            await asyncio.sleep(0.1)


async def until_alive(http: aiohttp.ClientSession, url: str) -> None:
    """Wait until the standby listens."""
    async with asyncio.timeout(START_SECONDS):
        while not await is_ready(http, url, "/healthz"):
            await asyncio.sleep(0.1)


async def main() -> None:
    """Read the steps, and run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracker.capacity")
    parser.add_argument(
        *("--steps", "-s"), type=int, nargs="+", default=[25_000, 50_000, 100_000], metavar="N"
    )
    steps: list[int] = parser.parse_args().steps
    if steps != sorted(set(steps)) or steps[0] < 1:
        parser.error(f"--steps must be positive numbers that grow; got {steps}")
    with postgres.running() as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0").format(
                sql.Identifier(DATABASE)
            )
        )
        async with (
            aiohttp.ClientSession() as http,
            DevelopmentNode(chain=Chain(accounts=2)) as node,
        ):
            await measure(http, server, node, steps)


if __name__ == "__main__":
    asyncio.run(main())
