"""Register transactions over HTTP, all in one request."""

import asyncio
import time

import aiohttp

from benchmarks.tracker import node
from benchmarks.tracker.blocks import PATIENCE
from benchmarks.tracker.prepared import waiting
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.store.garbage_collection import tune_collector

PER_BLOCK = 400
POLL_SECONDS = 0.5


async def run(database: str, transactions: int) -> dict[str, float]:
    """Send one request, with transactions that wait on a node.

    Returns:
        ``request``: seconds until it was answered; ``known``: until the node was asked about
        all of them, too; ``alone``: seconds that a request with one takes.
    """
    ids = [tx.hash for tx in waiting(transactions + 1, PER_BLOCK).pool]
    async with node.running(transactions + 1, PER_BLOCK) as one:
        await one.mine()  # the first block holds none of those registered later than it
        settings = Settings(
            one.url, database=database, poll_interval=POLL_SECONDS, web=WebOptions(port=0)
        )
        async with TransactionTrackerApplication(settings), aiohttp.ClientSession() as session:
            tune_collector()
            url = f"{await Web.url(WEB)}/v1/transactions"
            alone = await _register(session, url, ids[-1:])
            began = time.monotonic()
            request = await _register(session, url, ids[:-1])
            async with asyncio.timeout(PATIENCE):
                for key in ids:
                    await _known(key)
            return {"request": request, "known": time.monotonic() - began, "alone": alone}


async def _register(session: aiohttp.ClientSession, url: str, ids: list[str]) -> float:
    began = time.monotonic()
    body = {"transactions": [{"id": key} for key in ids]}
    async with session.post(url, json=body) as reply:
        answer = await reply.json()
    seconds = time.monotonic() - began
    if reply.status != 200 or answer["accepted"] != len(ids):
        raise RuntimeError(f"not all were accepted: {reply.status} {str(answer)[:200]}")
    return seconds


async def _known(key: str) -> None:
    """Wait until something is known of a transaction."""
    while (await TransactionTracker.status(key)).state == "registered":
        await asyncio.sleep(0.01)
