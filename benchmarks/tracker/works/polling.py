"""Count the requests that a block costs a program that asks for each transaction's receipt.

It is written as such programs are, with care: asynchronous, over one kept connection, with a
hundred calls in each request, and it stops asking about transactions that are deep enough.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
import orjson

from benchmarks.tracker import node
from benchmarks.tracker.prepared import waiting

PER_BLOCK = 50
REQUIRED = 64
BATCH = 100


class Poller:
    """Asks for the receipt of each transaction in turn.

    Attributes:
        open: The transactions that are not deep enough yet.
        depths: The confirmations of those that are in a block.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, ids: Sequence[str]) -> None:
        self._session = session
        self._url = url
        self.open = dict.fromkeys(ids)
        self.depths: dict[str, int] = {}

    async def round(self) -> None:
        """Ask about all of them once."""
        [head] = await self._ask([_call("eth_blockNumber")])
        for ids in _batches(list(self.open)):
            receipts = await self._ask([_call("eth_getTransactionReceipt", key) for key in ids])
            for key, receipt in zip(ids, receipts, strict=True):
                if receipt is not None:
                    self._note(key, int(head, 16) - int(receipt["blockNumber"], 16) + 1)

    def _note(self, key: str, confirmations: int) -> None:
        self.depths[key] = confirmations
        if confirmations >= REQUIRED:
            del self.open[key]

    async def _ask(self, calls: list[dict[str, Any]]) -> list[Any]:
        body = orjson.dumps([call | {"id": number} for number, call in enumerate(calls)])
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=body, headers=headers) as reply:
            answers = orjson.loads(await reply.read())
        return [answer["result"] for answer in sorted(answers, key=lambda one: one["id"])]


async def run(tracked: int, blocks: int) -> dict[str, float]:
    """Poll once per block, and count over some blocks.

    Returns:
        ``requests`` and ``calls``: HTTP requests, and calls in them, per block; ``round``:
        seconds that it takes to ask about all.
    """
    ids = [tx.hash for tx in waiting(tracked, PER_BLOCK).pool]
    async with node.running(tracked, PER_BLOCK) as one, aiohttp.ClientSession() as session:
        poller = Poller(session, one.url, ids)
        before = await one.count()
        began = time.monotonic()
        for _ in range(blocks):
            await one.mine()
            await poller.round()
        seconds = time.monotonic() - began
        after = await one.count()
    if len(poller.depths) != blocks * PER_BLOCK:
        raise RuntimeError(f"{len(poller.depths)} found, expected {blocks * PER_BLOCK}")
    return {
        "requests": (after.requests - before.requests) / blocks,
        "calls": (after.calls - before.calls) / blocks,
        "round": seconds / blocks,
    }


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _call(method: str, *params: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}
