"""Measure what one shard holds, and how long a standby takes to replace its owner.

``python -m benchmarks.tracker.capacity`` runs PostgreSQL, a development node, and one shard of
four with a standby. It registers transactions that stay open, in steps, and prints a row for each
step, which ``docs/tracker/sharding.md`` plans with. Then it kills the owner. Sizes hold on
any machine; times mean nothing while others use it.
"""

import argparse
import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psycopg
from psycopg import sql

from benchmarks.tracker import postgres
from benchmarks.tracker.sharding import SHARDS, START_SECONDS, hashes, is_ready, started
from txtrack_devnode import Chain, DevelopmentNode

DATABASE = "capacity"
BATCH = 10_000
LEASE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """What a shard with so many open transactions takes.

    Attributes:
        tracked: Open transactions.
        seconds: Time of their registration since the row before.
        resident: Resident bytes of the owner.
        stored: Bytes of the database.
    """

    tracked: int
    seconds: float
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
        "| registered per second |"
    )
    yield "|---:|---:|---:|---:|"
    first = rows[0]
    for before, row in itertools.pairwise(rows):
        count = row.tracked - first.tracked
        yield (
            f"| {row.tracked:,} | {(row.resident - first.resident) / count:,.0f} "
            f"| {(row.stored - first.stored) / count:,.0f} "
            f"| {(row.tracked - before.tracked) / row.seconds:,.0f} |"
        )


async def register(http: aiohttp.ClientSession, url: str, count: int) -> None:
    """Register transactions of shard 0 that no node has."""
    while count > 0:
        ids = hashes(min(count, BATCH), shard=0)
        async with http.post(f"{url}/v1/transactions", json=[{"id": tx} for tx in ids]) as reply:
            content = await reply.json()
        if content.get("accepted") != len(ids):
            raise RuntimeError(f"expected {len(ids)} accepted registrations; got {content}")
        count -= len(ids)


async def measure(
    http: aiohttp.ClientSession, server: postgres.Postgres, node: str, steps: list[int]
) -> None:
    """Print the rows, and the time of the take-over with the last number of transactions."""
    database = server.url(DATABASE)
    arguments = (
        *("serve", "--standby", "--rpc", node, "--database", database),
        *("--set", "shard.number=0", "--set", f"shard.count={SHARDS}"),
        *("--set", f"database.lease={LEASE_SECONDS}"),
    )
    async with AsyncExitStack() as stack:
        url, owner = await stack.enter_async_context(started(*arguments))
        await until_ready(http, url)
        standby, _ = await stack.enter_async_context(started(*arguments))
        rows = [Row(0, 1.0, resident_bytes(owner.pid), stored_bytes(database))]
        for step in steps:
            began = time.perf_counter()
            await register(http, url, step - rows[-1].tracked)
            seconds = time.perf_counter() - began
            rows.append(Row(step, seconds, resident_bytes(owner.pid), stored_bytes(database)))
        print("\n".join(table(rows)))
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
            await measure(http, server, node.url, steps)


if __name__ == "__main__":
    asyncio.run(main())
