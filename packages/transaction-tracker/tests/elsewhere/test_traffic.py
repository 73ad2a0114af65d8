"""Requests that grew with the transactions, until the node refused them all."""

import asyncio
import time
from itertools import product

from transaction_tracker import TransactionTracker
from txtrack_devnode.faults import RateLimit

from .support import Network, caught_up, eventually, reach

MANY = 400
BLOCKS = 20


async def test_429_from_polling(network: Network) -> None:
    """web3.py#1435, Nethereum#879: each that waited was a request, at each look: 8,000 here.

    Blocks are fetched, one request each; of those that wait only a few are asked about, in turn.
    """
    node = network.first
    async with network.followed() as app:
        # A gap in the nonces: they wait for ever, block after block.
        txs = [
            network.submit(sender, nonce=1 + number)
            for number, sender in product(range(MANY // 10), range(10))
        ]
        wanted = [TransactionTracker.registration(tx.hash) for tx in txs]
        await TransactionTracker.start_many(wanted)
        await asyncio.gather(*(reach(tx.hash, "pending") for tx in txs))
        counters, requests = node.counters.copy(), node.http_requests
        for _ in range(BLOCKS):
            await node.mine()
            await caught_up(app, node)
        asked = node.counters - counters
        # A look at the head asks for the next block too.
        other = node.http_requests - requests - asked["eth_getBlockByNumber"] // 2

    assert asked["eth_getBlockByHash"] == 0
    assert other < MANY
    assert network.second.counters["eth_getBlockByHash"] == 0


async def test_429_from_polling_goes_on_when_the_node_asks_for_peace(network: Network) -> None:
    """Nethereum#879: the refused request was made again at once, and refused again.

    ``Retry-After`` is heeded: not one request comes in that time.
    """
    limit = RateLimit(retry_after=1, times=1)
    async with network.followed(providers=(network.settings().providers[0],)):
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        node = network.first
        node.faults.inject(limit)
        await eventually(lambda: node.faults.counts["rate-limit"])
        refused_at, refused = time.monotonic(), node.http_requests
        network.chain.mine(3)

        await eventually(lambda: node.http_requests > refused)
        waited = time.monotonic() - refused_at
        await reach(tx.hash, "confirmed")

    assert waited > 0.9


async def test_429_from_polling_loses_nothing(network: Network) -> None:
    """web3.py#1435: whoever was refused gave up waiting.

    Here the first requests are refused at both nodes, whatever they are about, and all goes on.
    """
    async with network.followed():
        for node in (network.first, network.second):
            node.faults.inject(RateLimit(times=4, retry_after=0))
        txs = [network.submit(sender) for sender in range(10)]
        for tx in txs:
            await TransactionTracker.start(tx.hash)
        for _ in range(6):
            await network.first.mine()

        await asyncio.gather(*(reach(tx.hash, "confirmed") for tx in txs))

    assert network.first.faults.counts["rate-limit"] == 4
