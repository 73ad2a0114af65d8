"""Measure how long it takes from a block to the stored states of the transactions in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from benchmarks.tracker import anvil, node, watching
from benchmarks.tracker.blocks import heard
from benchmarks.tracker.prepared import CHAIN_ID, waiting
from transaction_tracker import ProviderSettings, Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.sources.ethereum.url import WEBSOCKET
from transaction_tracker.store.garbage_collection import tune_collector
from transaction_tracker.tracker import TransactionTracker

Kind = Literal["anvil", "development"]
Node = anvil.Anvil | node.Node

# All stay tracked until the last block: those that are mined wait for depth.
REQUIRED = 1_000
AT_ONCE = 1_000
PAUSE_SECONDS = 0.3
POLL_SECONDS = 0.05
# With a subscription, nothing but its hints makes the tracker ask.
HINTED_POLL_SECONDS = 60.0


async def run(
    database: str, kind: Kind, tracked: int, per_block: int, blocks: int, hinted: bool
) -> dict[str, Any]:
    """Track transactions that wait on a node, and mine them block by block.

    Args:
        database: A new one.
        kind: Which node.
        tracked: How many wait.
        per_block: How many of them each block holds.
        blocks: How many blocks.
        hinted: Whether the tracker hears of new heads by ``newHeads`` over WebSocket, and not by
            asking again and again.

    Returns:
        ``detected``: for each transaction, seconds from the head's coming to its state's being
        stored; ``announced``: the same from the node's announcing the block, for each block;
        ``node``: what of that the node takes to answer, for each block.
    """
    async with _full(kind, tracked, per_block) as (one, ids):
        provider = ProviderSettings(
            SecretUrl(one.url), ws_url=SecretUrl(one.ws_url, WEBSOCKET) if hinted else None
        )
        settings = Settings(
            chain_id=CHAIN_ID,
            confirmations=REQUIRED,
            database=database,
            poll_interval=HINTED_POLL_SECONDS if hinted else POLL_SECONDS,
            providers=(provider,),
        )
        async with TransactionTrackerApplication(settings), watching.running(one.ws_url) as seen:
            tune_collector()
            await _track(ids)
            return await _follow(one, seen, per_block, blocks)


@asynccontextmanager
async def _full(kind: Kind, tracked: int, per_block: int) -> AsyncIterator[tuple[Node, list[str]]]:
    if kind == "anvil":
        async with anvil.running(per_block) as real:
            yield real, await real.send(tracked)
        return
    ids = [tx.hash for tx in waiting(tracked, per_block).pool]
    async with node.running(tracked, per_block) as ours:
        yield ours, ids


async def _track(ids: list[str]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        some = [TransactionTracker.registration(key) for key in ids[start : start + AT_ONCE]]
        await TransactionTracker.start_many(some)
    for key in ids:
        await TransactionTracker.wait(key, until="pending")


async def _follow(
    one: Node, seen: watching.Watcher, per_block: int, blocks: int
) -> dict[str, list[float]]:
    client = RpcClient(SecretUrl(one.url))
    announced, answering = [], []
    with heard() as follower:
        for _ in range(blocks):
            await one.mine()
            number, at = await seen.next()
            applied = await follower.at(number)
            if applied.hits != per_block:
                raise RuntimeError(f"block {number} has {applied.hits} hits, not {per_block}")
            announced.append(applied.time - at)
            answering.append(await _answering(client))
            await asyncio.sleep(PAUSE_SECONDS)
        detected = follower.detected
    await client.close()
    return {"detected": detected, "announced": announced, "node": answering}


async def _answering(client: RpcClient) -> float:
    """Ask what the tracker has to ask for a block, and do nothing with it."""
    began = time.monotonic()
    head = await client.call("eth_getBlockByNumber", "latest", False)
    await client.call("eth_getBlockByHash", head["hash"], True)
    await client.call("eth_getBlockReceipts", head["hash"])
    return time.monotonic() - began
